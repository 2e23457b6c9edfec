"""Staging for tape: parts that wait become volumes, and what the tape system did meanwhile is taken note of.

In this order: receipts; volumes that came back, and the recalls that waited for them; what an earlier step left half done;
room; new volumes. A volume is sealed at `tape.volume_gib`, or when the oldest part has waited `tape.volume_max_age_hours`;
until then a list of what it will hold lies in open/. A part that is not whole costs only itself, as in the backup.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sdfo import crashpoints
from sdfo.catalog import NewCopy, QuarantineNote, VolumeRow, Waiting
from sdfo.catalog.volumes import SEALED, VERIFIED, WRITTEN
from sdfo.catalog.waiting import STAGE
from sdfo.conf import GIB
from sdfo.errors import Exists, FormatError, Missing, OutOfRange, Postponed, VolumeError, WrongStore
from sdfo.model import Tier
from sdfo.nightly.backup import MOST_TRIES
from sdfo.nightly.batches import cut
from sdfo.nightly.care.faults import still_there
from sdfo.nightly.engines import Progress, silent
from sdfo.nightly.place import Place
from sdfo.nightly.tape.receiving import Attended, Received, attend, offer, offer_all, take_receipts
from sdfo.nightly.tape.sealing import Gathered, NotWhole, copies, gather, seal
from sdfo.nightly.turn import Turn, turn
from sdfo.stores import Stat
from sdfo.tiers import tape
from sdfo.tiers.tape import proving
from sdfo.tiers.tape.reading import own_manifest
from sdfo.tiers.tape.room import Room, room

_PAGE = 1000
_SHOWN = {Tier.HDFS: "HDFS", Tier.NEARLINE: "near-line"}
NEXT = f"{tape.OPEN}/next.json"
"""The list of what waits for the next volume."""


@dataclass(frozen=True, slots=True)
class StageReport:
    """`parts` of `bytes` on `volumes` sealed now; `left`: parts that wait still, of so many bytes.

    `receipts` taken, `refused` of them; `returned`: volumes that came back, `recalls` that ended by that. `removed`: bytes of
    volumes that made room. `share` of the staging area that is used; `stopped`: why no more volumes were made.
    """

    volumes: int = 0
    parts: int = 0
    bytes: int = 0
    failed: int = 0
    set_aside: int = 0
    left: int = 0
    left_bytes: int = 0
    receipts: int = 0
    refused: int = 0
    returned: int = 0
    recalls: int = 0
    removed: int = 0
    share: float = 0.0
    stopped: str = ""

    @property
    def idle(self) -> bool:
        """Nothing was done."""
        return not (self.volumes or self.failed or self.receipts or self.refused or self.returned or self.recalls)


def stage(place: Place, progress: Progress = silent, *, now: bool = False) -> StageReport:
    """One round. `now`: seal what waits, however little it is.

    `Postponed` where nothing was done because another one is at work, or the staging area is full or away; `WrongStore` if
    it is not mounted; `Full` where the disk is, against what it says of itself.
    """
    _ = place.tape
    place.catalog.start_run(place.run, "local")
    with turn(place, STAGE, lease=STAGE) as mine:
        mine.report = found = _Stage(place, mine, now, progress).work()
        if found.stopped and found.idle:
            raise Postponed(
                found.stopped, next_command="sdfo tape ls; and again when the tape system has taken volumes"
            )
    place.catalog.release(mine.lease)
    return found


class _Stage:
    def __init__(self, place: Place, mine: Turn, now: bool, progress: Progress) -> None:
        self.place, self.mine, self.now, self.progress = place, mine, now, progress
        self.settings = place.settings.tape
        self.tried: set[int] = set()
        self.sealed: list[VolumeRow] = []
        self.parts = self.bytes = self.failed = self.set_aside = self.removed = 0
        self.stopped = ""

    def work(self) -> StageReport:
        received, attended = take_receipts(self.place), attend(self.place)
        self._take_up()
        self._clear()
        while not self.stopped and (rows := self._next()):
            self._volume(rows)
        self._list()
        return self._report(received, attended)

    def _take_up(self) -> None:
        """What an earlier step left: its attempts go, volumes in sealed/ that the catalog does not know are made known."""
        store = self.place.tape
        for stat in list(store.list(f"{tape.ATTEMPTS}/{self.place.run}")):
            store.delete(stat.path)
        known = {row.name for row in self.place.catalog.volumes()}
        for volume in sorted(set(self._sealed()) - known):
            self._adopt(volume)
        offer_all(self.place)

    def _sealed(self) -> Iterator[str]:
        for stat in list(self.place.tape.list(tape.SEALED)):
            found = (tape.volume_of(stat.path, tape.SEALED, suffix) for suffix in (".tar", ".sha256"))
            yield from (volume for volume in found if volume is not None)

    def _adopt(self, volume: str) -> None:
        """Read it again first. What is beside a tar that never got its name goes."""
        store, at = self.place.tape, tape.tar(tape.SEALED, volume)
        try:
            manifest, size = own_manifest(store, at), store.stat(at).size
            told = store.read_all(tape.digest(tape.SEALED, volume)).split()[0].decode()
        except (Missing, VolumeError, OutOfRange, ValueError, IndexError):  # the last two: no digest in its file
            self._discard(volume)
            return
        if not all(self._is_known(copy) for copy in copies(manifest)):
            return  # the catalog came back from an older backup: this may be the only copy there is, and `rebuild` finds it
        wanted = [copy for copy in copies(manifest) if self._waits(copy.study, copy.check)]
        if not wanted or proving.digest_of(store, at) != told or proving.unreadable(store, at, manifest):
            self._discard(volume)
            return
        self.mine.check()
        created = datetime.fromisoformat(manifest.label.created)
        row = VolumeRow(volume, SEALED, size, told, len(manifest.entries), created)
        self.place.catalog.add_volume(self.mine.lease, row, wanted)
        self._count(row, wanted)

    def _is_known(self, copy: NewCopy) -> bool:
        return any(part.check == copy.check for part in self.place.catalog.parts(copy.study))

    def _waits(self, study: str, check: str) -> bool:
        """Whether a part of the catalog has no copy on tape, or staged for it."""
        part = next(each for each in self.place.catalog.parts(study) if each.check == check)
        states = [copy.state for copy in self.place.catalog.copies(part.id) if copy.tier is Tier.TAPE]
        return states in ([], ["damaged"], ["retired"])

    def _discard(self, volume: str) -> None:
        store = self.place.tape
        digests = (tape.digest(folder, volume) for folder in (tape.SEALED, tape.MANIFESTS))
        for path in (tape.tar(tape.SEALED, volume), *digests, tape.manifest(volume)):
            with suppress(Missing):
                store.delete(path)

    def _clear(self, size: int = 0) -> None:
        """Above `tape.clear_at` the oldest volumes go that are on tape, and that nobody waits for or was promised; below it
        as many as one of `size` needs."""
        now, before = room(self.place.tape, self.settings), self.removed
        for stat in self._eligible():
            left = now.plus(before - self.removed)
            if left.share <= self.settings.clear_at and left.plus(size).share <= self.settings.close_at:
                return
            self.mine.check()
            self._remove(stat)

    def _eligible(self) -> list[Stat]:
        """What is on no tape, or on one that was lost, stays: it may be the last copy there is."""
        loose = {
            row.name for row in self.place.catalog.volumes((WRITTEN, VERIFIED))
        } - self.place.catalog.pinned_volumes()
        stats = [stat for folder in (tape.RETIRED, tape.IN) for stat in self.place.tape.list(folder)]
        return sorted(
            (stat for stat in stats if _volume_in(stat.path) in loose), key=lambda stat: (stat.modified, stat.path)
        )

    def _remove(self, stat: Stat) -> None:
        """Out of sight first: who asks for it from then on finds that it is not here, and who asked before has pinned it."""
        store, volume = self.place.tape, _volume_in(stat.path)
        attempt = f"{tape.ATTEMPTS}/{self.place.run}/{volume}.leaving"
        with suppress(Missing):
            store.rename(stat.path, attempt)
            if volume in self.place.catalog.pinned_volumes():
                store.rename(attempt, stat.path)
                return
            if stat.path.startswith(f"{tape.IN}/"):
                with suppress(Missing):
                    store.delete(tape.proven(volume or ""))
            store.delete(attempt)
            self.place.catalog.volumes_left([volume or ""])
            self.removed += stat.size

    def _next(self) -> list[Waiting]:
        """The parts of the next volume, oldest first; none if it is not to be sealed yet."""
        most, rows = self.settings.volume_gib * GIB, self._waiting()
        piece = next(cut(rows, most), [])
        full = len(piece) < len(rows) or sum(row.size for row in piece) >= most
        if piece and (full or self.now or self._is_old(rows)):
            return piece
        return []

    def _waiting(self) -> list[Waiting]:
        """Enough for more than a volume, or all."""
        many, most = _PAGE, self.settings.volume_gib * GIB
        while True:
            rows = self.place.catalog.queued(many + len(self.tried), Tier.TAPE)
            fresh = [row for row in rows if row.part_id not in self.tried]
            if len(rows) < many + len(self.tried) or sum(row.size for row in fresh) > most:
                return fresh
            many *= 4

    def _is_old(self, rows: Sequence[Waiting]) -> bool:
        most = timedelta(hours=self.settings.volume_max_age_hours)
        return datetime.now(UTC) - min(row.since for row in rows) >= most

    def _volume(self, rows: Sequence[Waiting]) -> None:
        """A volume of those of these parts that are whole."""
        self.tried |= {row.part_id for row in rows}
        if self._is_full(sum(row.size for row in rows)):
            return
        parts = list[Gathered]()
        for number, row in enumerate(rows, 1):
            part = self._gathered(row)
            parts += [] if part is None else [part]
            self.progress(number, len(rows), "parts read for a volume")
        while parts:
            try:
                volume, new = seal(self.place, parts, self.mine.check)
            except VolumeError as error:
                parts = self._without(parts, _blamed(error, parts))
                continue
            self.place.catalog.add_volume(self.mine.lease, volume, new)
            crashpoints.passing("stage.committed")
            offer(self.place, volume)
            self._count(volume, parts)
            self._forget(parts)
            return

    def _without(self, parts: Sequence[Gathered], faults: dict[str, str]) -> list[Gathered]:
        """Parts of which one file was named go no further."""
        bad = [part for part in parts if any(entry.path in faults for entry in part.entries)]
        for part in bad:
            why = next(faults[entry.path] for entry in part.entries if entry.path in faults)
            self._fail(part.row, f"its copy on a volume, read again: {why}")
        return [part for part in parts if part not in bad]

    def _is_full(self, size: int) -> bool:
        """Whether the next volume would pass `tape.close_at`, even when all was removed that could be."""
        self._clear(size)
        now: Room = room(self.place.tape, self.settings)
        if now.plus(size).share > self.settings.close_at:
            self.stopped = (
                f"the tape staging area is full: {now.share:.0%} used, a volume would pass {self.settings.close_at:.0%}"
            )
        return bool(self.stopped)

    def _gathered(self, row: Waiting) -> Gathered | None:
        near = self._instead_of_hdfs(row)
        tier = Tier.HDFS if near is None else Tier.NEARLINE
        try:
            return gather(self.place, row, near)
        except (WrongStore, Postponed):  # of near-line, for those alone that HDFS has no more
            if near is None:
                raise
        except (FormatError, Missing, OutOfRange) as error:
            still_there(self.place, tier)
            self._fail(row, f"its copy on {_SHOWN[tier]}: {error.what}", tier)
        return None

    def _instead_of_hdfs(self, row: Waiting) -> str | None:
        """The path of the near-line copy, of a part that was freed from HDFS."""
        copies = {copy.tier: copy for copy in self.place.catalog.copies(row.part_id)}
        near = copies.get(Tier.NEARLINE)
        return near.path if near is not None and copies[Tier.HDFS].state == "retired" else None

    def _fail(self, row: Waiting, reason: str, source: Tier | None = None) -> None:
        """Note it; set the part aside if it failed before, or if the copy on `source` is not whole, which is marked so."""
        self.failed += 1
        catalog = self.place.catalog
        (tries,) = catalog.note_failed_backups(self.mine.lease, [row.part_id], reason, Tier.TAPE)
        states = {copy.tier: copy.state for copy in catalog.copies(row.part_id)}
        if source is not None and states[source] != "retired":
            catalog.mark_copy(row.part_id, source, "damaged", reason)
        if source is not None or tries >= MOST_TRIES:
            note = QuarantineNote(f"not staged for tape: {row.path}: {reason}", b"", row.ordinal, STAGE)
            catalog.open_quarantine(self.place.run, note, study=row.study, folder_id=None)
            self.set_aside += 1

    def _count(self, row: VolumeRow, parts: Sequence[object]) -> None:
        self.sealed.append(row)
        self.parts += len(parts)
        self.bytes += row.size

    def _forget(self, parts: Sequence[Gathered]) -> None:
        """What was written with a codec of its own lies on the volume now."""
        for store, path in (source for part in parts for source in part.sources):
            if path.startswith(f"{tape.ATTEMPTS}/"):
                with suppress(Missing):
                    store.delete(path)

    def _list(self) -> None:
        """For a person: what the next volume will hold, so far."""
        rows = self.place.catalog.queued(_PAGE, Tier.TAPE)
        shown = [{"study": r.study, "path": r.path, "size": r.size, "since": r.since.isoformat()} for r in rows]
        queue = self.place.catalog.queue(Tier.TAPE)
        told = {"parts": queue.parts, "bytes": queue.bytes, "first": shown}
        with suppress(Exists):
            self.place.tape.replace(NEXT, (json.dumps(told, indent=1) + "\n").encode("ascii"))

    def _report(self, received: Received, attended: Attended) -> StageReport:
        queue = self.place.catalog.queue(Tier.TAPE)
        return StageReport(
            volumes=len(self.sealed),
            parts=self.parts,
            bytes=self.bytes,
            failed=self.failed,
            set_aside=self.set_aside,
            left=queue.parts,
            left_bytes=queue.bytes,
            receipts=received.receipts,
            refused=received.refused,
            returned=attended.volumes,
            recalls=attended.done + attended.failed,
            removed=self.removed,
            share=room(self.place.tape, self.settings).share,
            stopped=self.stopped,
        )


def _volume_in(path: str) -> str | None:
    """The volume whose tar lies here; None for any other file."""
    return tape.volume_of(path, path.partition("/")[0], ".tar")


def _blamed(error: VolumeError, parts: Sequence[Gathered]) -> dict[str, str]:
    """The files that are to blame for a volume that was not made, and why. The error itself if none is."""
    if isinstance(error, NotWhole):
        return error.faults
    if error.path is None or not any(error.path == entry.path for part in parts for entry in part.entries):
        raise error
    return {error.path: error.what}
