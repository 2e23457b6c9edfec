"""The catalog as callers see it: every promise it makes, on one page. The work is done by the modules it names.

A catalog is told where the state journal lies (`journal`, the store at `hdfs.root`) by whoever changes what files cannot
know: without it those calls are refused, for what they would keep could not be rebuilt. Queries need none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sdfo.catalog import (
    backlog,
    copies,
    leases,
    locations,
    marks,
    publish,
    quarantine,
    queries,
    recalls,
    runs,
    san,
    volumes,
    waiting,
)
from sdfo.catalog.attributes import StudyAttributes
from sdfo.catalog.backlog import Backlog
from sdfo.catalog.copies import CopyRow, NewCopy, PartRow
from sdfo.catalog.engine import clock
from sdfo.catalog.entries import FileMark, PartEntry
from sdfo.catalog.leases import Lease
from sdfo.catalog.marks import Alias
from sdfo.catalog.publish import Published
from sdfo.catalog.quarantine import QuarantineNote, QuarantineRow
from sdfo.catalog.queries import Place, Query, StudyRow
from sdfo.catalog.recalls import RecallRow
from sdfo.catalog.removal import Removal
from sdfo.catalog.runs import RunRow, StepRow
from sdfo.catalog.san import Dirs, SanFile, SanFolder
from sdfo.catalog.volumes import VolumeRow
from sdfo.catalog.waiting import NEARLINE, Queue, Waiting
from sdfo.model import Location

TTL_SECONDS = 300
"""How long a lease lasts without being renewed: several renewals may fail before another run takes over."""


class Catalog(Removal):
    """What exists and where, over all tiers. Constructing opens nothing; usable after a fork and from any thread.

    Each call is one transaction. `CatalogError` if the schema is not this code's. What the delete gate asks and notes is in
    removal.py.
    """

    # Leases: leases.py

    def take_lease(self, name: str, run: str, holder: str, ttl: float = TTL_SECONDS) -> Lease:
        """The next token of `name` for a step of `run`; `LeaseHeld` while another run holds it."""
        with self.database.write() as conn:
            return leases.take(conn, name, run, holder, ttl)

    def renew(self, lease: Lease, ttl: float = TTL_SECONDS) -> Lease:
        """The lease with its new end; `Fenced` if it is no longer the newest."""
        with self.database.write() as conn:
            return leases.renew(conn, lease, ttl)

    def check(self, lease: Lease) -> None:
        """`Fenced` if it is no longer the newest. One that expired and that nobody took is still good."""
        with self.database.read() as conn:
            leases.check(conn, lease)

    def release(self, lease: Lease) -> None:
        """Give it back; nothing happens if it is no longer the newest."""
        with self.database.write() as conn:
            leases.release(conn, lease)

    def lease_holder(self, name: str) -> Lease | None:
        """Who is at work under `name` now."""
        with self.database.read() as conn:
            return leases.holder(conn, name)

    # Runs: runs.py

    def start_run(self, run: str, engine: str) -> None:
        with self.database.write() as conn:
            runs.start(conn, run, engine, clock(conn))

    def note_step(self, run: str, step: str, state: str, report: dict[str, Any] | None = None) -> None:
        """`state`: started, done, failed or postponed. `report` is what JSON can hold; a night is good whose step `report`
        says ok. That a step failed is noted though the journal's store takes nothing: it may have failed for that."""
        with self._recording(kept=state != "failed") as (conn, lines):
            line = runs.note(conn, run, step, state, report or {}, clock(conn))
            lines += [line] if line else []

    def steps(self, run: str) -> dict[str, StepRow]:
        """By step, in the order in which they started."""
        with self.database.read() as conn:
            return runs.steps(conn, run)

    def runs(self, limit: int = 50) -> list[RunRow]:
        """Nights and slices of the first load, newest first; not those that only backed up or restored."""
        with self.database.read() as conn:
            return runs.newest(conn, limit)

    def last_step(
        self, step: str, state: str | None = None, until: datetime | None = None
    ) -> tuple[str, StepRow] | None:
        """The run that began this step last, and how it stands there; only those in `state`, and begun by then, if given."""
        with self.database.read() as conn:
            return runs.last(conn, step, state, until)

    def last_ended(self, step: str, until: datetime | None = None) -> StepRow | None:
        """How this step ended last, by then if given: done or failed."""
        with self.database.read() as conn:
            return runs.last_ended(conn, step, until)

    def last_good_night(self) -> datetime | None:
        """When the newest night ended whose report is `ok`."""
        with self.database.read() as conn:
            return runs.last_good_night(conn)

    # The SAN: san.py

    def folders(self) -> dict[bytes, SanFolder]:
        """By path, relative to the SAN root."""
        with self.database.read() as conn:
            return san.folders(conn)

    def folder(self, path: bytes) -> int:
        """The folder's id; one that is new is kept as never listed."""
        with self.database.write() as conn:
            return san.ensure_folder(conn, path)

    def keep_listing(
        self,
        path: bytes,
        listing: str,
        newest_ns: int,
        dirs: Dirs,
        files: int,
        at: datetime,
        state: str,
    ) -> int:
        """Put this listing in the place of the folder's last; the folder's id."""
        with self.database.write() as conn:
            return san.keep_listing(conn, path, listing, newest_ns, dirs, files, at, state)

    def set_folder_state(self, ids: Iterable[int], state: str) -> None:
        with self.database.write() as conn:
            san.set_folder_state(conn, ids, state)

    def files(self, folder_id: int) -> dict[bytes, SanFile]:
        """By name, relative to the folder."""
        with self.database.read() as conn:
            return san.files(conn, folder_id)

    def note_files(self, folder_id: int, files: Sequence[SanFile], attributes: Sequence[StudyAttributes] = ()) -> None:
        """Keep new files and what their heads say, so that they are found before their first night."""
        with self.database.write() as conn:
            san.note_files(conn, folder_id, files, attributes, clock(conn))

    def forget_files(self, folder_id: int, names: Iterable[bytes]) -> None:
        """These are gone from the SAN: rows of files never archived go too, the others become `freed`."""
        with self.database.write() as conn:
            san.forget_files(conn, folder_id, names)

    # The first load: backlog.py

    def backlog(self) -> Backlog:
        """How much waits for the first load."""
        with self.database.read() as conn:
            return backlog.backlog(conn)

    def waiting(self, most: int) -> list[SanFolder]:
        """The newest exam folders that wait for the first load."""
        with self.database.read() as conn:
            return backlog.waiting(conn, most)

    def sample_waiting(self, each: int) -> list[SanFolder]:
        """One of every `each` folders that wait, whatever their age."""
        with self.database.read() as conn:
            return backlog.sample(conn, each)

    def take_waiting(self, ids: Iterable[int]) -> None:
        """The first load has been through these folders: they wait no longer."""
        with self.database.write() as conn:
            backlog.take(conn, ids)

    def digests(self, studies: Iterable[str]) -> dict[str, set[str]]:
        """SHA-256 of every record these studies hold."""
        with self.database.read() as conn:
            return san.digests(conn, studies)

    # Publishing: publish.py

    def publish(self, lease: Lease, run: str, entries: Sequence[PartEntry]) -> list[Published]:
        """All of it in one transaction under the lease's token: `Fenced`, and nothing changed, if a later step took over.

        An exam that conflicts is set aside and the others are committed. Publishing again is `already`.
        """
        with self._recording(lease.token) as (conn, lines):
            leases.check(conn, lease)
            results, new = publish.publish(conn, run, entries, clock(conn))
            lines += new
            return results

    def publish_aliases(self, lease: Lease, run: str, study: str, files: Sequence[FileMark]) -> None:
        """SAN files whose bytes the study holds already, where no part is new."""
        with self._recording(lease.token) as (conn, lines):
            leases.check(conn, lease)
            lines.append(marks.add_aliases(conn, run, study, files, clock(conn)))
            named = {(mark.folder_id, mark.stamp.name) for mark in files}
            lines += quarantine.close_archived(conn, study, named, clock(conn))

    def aliases(self, study: str) -> list[Alias]:
        with self.database.read() as conn:
            return marks.aliases(conn, study)

    # Questions: queries.py, locations.py, copies.py

    def find(self, query: Query, limit: int | None = None, after: Place | None = None) -> Iterator[StudyRow]:
        """Online, near-line, offline; chronological in each. `after`: the `place` of the last study of the page before."""
        return queries.find(self.database, query, limit, after)

    def locate(self, uid: str) -> list[Location]:
        """Every copy of every file of a study, series or instance, cheapest first; empty if nothing answers to the UID."""
        with self.database.read() as conn:
            return locations.locate(conn, uid)

    def parts(self, study: str) -> list[PartRow]:
        """In the order in which they were published."""
        with self.database.read() as conn:
            return copies.parts(conn, study)

    def copies(self, part_id: int) -> list[CopyRow]:
        """Cheapest tier first."""
        with self.database.read() as conn:
            return copies.copies(conn, part_id)

    def mark_copy(self, part_id: int, tier: str, state: str, why: str | None = None) -> None:
        """`state`: written, verified, damaged or retired; one on near-line or tape that is damaged is queued to be made again."""
        with self._recording() as (conn, lines):
            lines.append(copies.mark(conn, part_id, tier, state, clock(conn), why))

    def add_copies(self, lease: Lease, new: Sequence[NewCopy]) -> list[str]:
        """Verified copies, in one transaction under the lease's token: `Fenced`, and nothing changed, if a later step took over.

        Paths at which copies lay that they replace, where these are others. What waited for them waits no longer.
        """
        with self._recording(lease.token) as (conn, lines):
            leases.check(conn, lease)
            replaced = list[str]()
            for each in new:
                before, line = copies.add(conn, each, clock(conn))
                replaced += [before] if before is not None else []
                lines.append(line)
            return replaced

    def page_of_copies(self, tier: str, after: int = 0, most: int = 1000) -> list[tuple[PartRow, CopyRow]]:
        """The copies on a tier, with their parts, so many at once, by the part's id, from beyond `after`."""
        with self.database.read() as conn:
            return copies.page(conn, tier, after, most)

    def aparts(self, part_id: int) -> list[str]:
        """The paths of the files kept apart beside a part, the same on every tier."""
        with self.database.read() as conn:
            return copies.aparts(conn, part_id)

    # The queues of backup and staging: waiting.py

    def queued(self, most: int, work: str = NEARLINE) -> list[Waiting]:
        """Parts that wait for a copy on this tier and may be tried, oldest first, those that failed last."""
        with self.database.read() as conn:
            return waiting.waiting(conn, most, work)

    def queue(self, work: str = NEARLINE) -> Queue:
        """How much waits for a copy on this tier."""
        with self.database.read() as conn:
            return waiting.queue(conn, work)

    def modalities(self, part_ids: Iterable[int]) -> dict[int, str]:
        """By part: the modality of most of its images."""
        with self.database.read() as conn:
            return waiting.modalities(conn, part_ids)

    def note_failed_backups(
        self, lease: Lease, part_ids: Iterable[int], reason: str, work: str = NEARLINE
    ) -> list[int]:
        """Count a try of each that came to nothing; how many did by now. They are tried again after all that were never tried."""
        with self._recording(lease.token) as (conn, lines):
            leases.check(conn, lease)
            found = [waiting.failed(conn, part_id, reason, work) for part_id in part_ids]
            lines += [line for _, line in found if line]
            return [tries for tries, _ in found]

    def known_paths(self, tier: str) -> set[str]:
        """Every path on this tier that the catalog answers for."""
        with self.database.read() as conn:
            return copies.known_paths(conn, tier)

    # Tape: volumes.py, recalls.py

    def add_volume(self, lease: Lease, row: VolumeRow, new: Sequence[NewCopy]) -> None:
        """A sealed volume and the staged copies on it, in one transaction under the lease's token."""
        with self._recording(lease.token) as (conn, lines):
            leases.check(conn, lease)
            lines.append(volumes.put(conn, row, clock(conn)))
            lines += [copies.add(conn, each, clock(conn))[1] for each in new]

    def keep_volume(self, row: VolumeRow, why: str | None = None) -> None:
        """A volume as it is now: the copies on it come to its state. `why` it is damaged: its parts wait for another one."""
        with self._recording() as (conn, lines):
            lines.append(volumes.put(conn, row, clock(conn), why))

    def volume(self, name: str) -> VolumeRow:
        """`NotFound` if there never was one of this name."""
        with self.database.read() as conn:
            return volumes.volume(conn, name)

    def volumes(self, states: Sequence[str] | None = None) -> list[VolumeRow]:
        """In these states, or in any, oldest first."""
        with self.database.read() as conn:
            return volumes.volumes(conn, states)

    def on_volume(self, name: str) -> list[tuple[PartRow, CopyRow]]:
        """The copies on a volume, with their parts, by path."""
        with self.database.read() as conn:
            return volumes.on(conn, name)

    def ask_recall(self, uid: str, names: Sequence[str], size: int) -> RecallRow:
        """A recall of these volumes; the one that waits for the same volumes already, if there is one."""
        with self._recording() as (conn, lines):
            row, line = recalls.ask(conn, uid, names, size, clock(conn))
            lines += [line] if line else []
            return row

    def end_recall(self, number: int, state: str, pin_hours: float = 0, reason: str | None = None) -> None:
        """`done` or `failed`. One that ended before stays as it is."""
        with self._recording() as (conn, lines):
            line = recalls.end(conn, number, state, clock(conn), pin_hours, reason)
            lines += [line] if line else []
            volumes.look_again(conn, recalls.recall(conn, number).volumes if line else ())

    def volumes_left(self, names: Iterable[str]) -> None:
        """These volumes lie in the staging area no more."""
        with self.database.write() as conn:
            volumes.look_again(conn, names)

    def recall(self, number: int) -> RecallRow:
        with self.database.read() as conn:
            return recalls.recall(conn, number)

    def recalls(self, state: str | None = None, most: int | None = None) -> list[RecallRow]:
        """In this state, or in any, newest first."""
        with self.database.read() as conn:
            return recalls.recalls(conn, state, most)

    def pinned_volumes(self) -> set[str]:
        """Those that somebody waits for, or that were promised to stay."""
        with self.database.read() as conn:
            return recalls.pinned(conn, clock(conn))

    # Quarantine: quarantine.py

    def quarantine(self, state: str | None = "open") -> list[QuarantineRow]:
        """Entries in this state, or in any (None), oldest first."""
        with self.database.read() as conn:
            return quarantine.entries(conn, state)

    def open_quarantine(self, run: str, note: QuarantineNote, *, study: str | None, folder_id: int | None) -> int:
        """The entry's id; the one that is there if the same was set aside before and not released since."""
        with self._recording() as (conn, lines):
            entry_id, line = quarantine.open_entry(conn, run, study, folder_id, note, clock(conn))
            lines += [line] if line else []
            return entry_id

    def resolve_quarantine(self, entry_id: int, decision: str) -> None:
        """`accepted`: the archived bytes are final. `released`: the next scan reads the file again.

        `Conflict` for a part without a copy on near-line or tape that is to be accepted: it would never have one.
        """
        with self._recording() as (conn, lines):
            if decision == "accepted":
                waiting.refuse_to_accept(conn, entry_id)
            line = quarantine.resolve(conn, entry_id, decision, clock(conn))
            lines += [line] if line else []
