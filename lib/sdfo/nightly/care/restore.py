"""Restore: a damaged or lost copy is made again from one that is whole: on HDFS from near-line, else from the SAN, else from
tape; on near-line by the backup. A volume that is not here is asked for, and the restore goes on when it is given again.

A copy that went from HDFS comes back there when near-line's is lost, which is made from it; it may go again later.

A part comes back under the very name it had, for its content is the same. Nothing is taken for whole before every byte of
it was read: what makes the copy restores every file to its digest, and another process then reads what it wrote.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from sdfo import crashpoints
from sdfo.catalog import CopyRow, RecallRow
from sdfo.catalog.recalls import FAILED, WAITING
from sdfo.errors import Exists, FormatError, Missing, OnTape, OutOfRange, Postponed, StoreError, WrongStore
from sdfo.model import PartOutcome, Tier
from sdfo.nightly.care.faults import Held, fault, found, still_there
from sdfo.nightly.care.sources import Grace, from_san, task_of
from sdfo.nightly.engines import Progress, silent
from sdfo.nightly.local import LocalEngine
from sdfo.nightly.place import Place
from sdfo.nightly.putting import put
from sdfo.nightly.summary import Damage
from sdfo.nightly.tape.recall import ask, wait
from sdfo.nightly.turn import Turn, turn
from sdfo.sdicom import Part
from sdfo.stores import Store
from sdfo.tiers.tape.reading import TapeStore, VolumeStore, whereabouts
from sdfo.transcoder import restore as transcode_back

RESTORE = "restore"


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """`whole`: copies that were looked at and found so; every byte of them was read unless it was asked for those lost.

    `recalled`: those that can be made again once a volume is back from tape. Copies on tape itself are not looked at.
    """

    dry_run: bool
    copies: int = 0
    whole: int = 0
    restored: int = 0
    queued: int = 0
    recalled: int = 0
    lost: int = 0
    rows: tuple[Damage, ...] = ()


@dataclass(frozen=True, slots=True)
class _Failed:
    """Why a copy on HDFS could not be made again; `recall`: it can, once that one is done."""

    why: str
    recall: int | None = None


def restore(
    place: Place, uid: str | None, progress: Progress = silent, *, dry_run: bool = False, waits: bool = False
) -> RestoreReport:
    """Look at every byte of the copies of a study, series or instance; or (`uid` None) by listing for all that are lost.

    `dry_run`: what would be done. `waits`: until the volumes are back that are asked for. `NotFound` for a UID of nothing that
    is archived; `WrongStore` if near-line is not mounted, or HDFS is a store without an archive.
    """
    if place.site() is None:
        raise WrongStore(
            "no archive is at hdfs.root",
            next_command="mount it; if it is lost indeed, sdfo init, then sdfo restore --lost",
        )
    if dry_run:
        grace = Grace(place.store)
        seen = list(found(place, uid, progress))
        return _report([(held, _foreseen(place, grace, held)) for held in seen], dry_run=True)
    place.catalog.start_run(place.run, "local")
    with turn(place, RESTORE, lease=RESTORE) as mine:
        step = _Restore(place, mine)
        done = [(held, step.part(held)) for held in found(place, uid, progress)]
        if waits:
            done = step.awaited(done, progress)
        mine.report = report = _report(done, dry_run=False)
    place.catalog.release(mine.lease)
    return report


class _Restore:
    def __init__(self, place: Place, mine: Turn) -> None:
        self.place, self.mine = place, mine
        self.grace = Grace(place.store)

    def part(self, held: Held) -> _Failed | None:
        """Make again what can be; why the copy on HDFS cannot."""
        failed: _Failed | None = None
        for copy, why in ((held.hdfs, held.hdfs_fault), (held.near, held.near_fault)):
            if copy is not None and copy.state == "damaged" and why is None:
                self._mark(held, copy.tier, "verified")  # made whole since, by a restore that was killed or by a person
        if held.near is not None and held.near_fault is not None:
            self._mark(held, Tier.NEARLINE, "damaged", held.near_fault)
        if held.hdfs is not None and held.hdfs_fault is not None:
            self._mark(held, Tier.HDFS, "damaged", held.hdfs_fault)
            failed = self._made_again(held, held.hdfs)
        return failed

    def awaited(self, done: list[tuple[Held, _Failed | None]], progress: Progress) -> list[tuple[Held, _Failed | None]]:
        """The same once every recall has ended, with what could be made again then."""
        numbers = sorted({failed.recall for _, failed in done if failed is not None and failed.recall is not None})
        ended = {number: wait(self.place, number, progress) for number in numbers}
        return [(held, self._once_more(held, failed, ended)) for held, failed in done]

    def _once_more(self, held: Held, failed: _Failed | None, ended: Mapping[int, RecallRow]) -> _Failed | None:
        if failed is None or failed.recall is None or held.hdfs is None:
            return failed
        row = ended[failed.recall]
        return (
            _Failed(f"recall {row.id} failed: {row.reason}")
            if row.state == FAILED
            else self._made_again(held, held.hdfs)
        )

    def _made_again(self, held: Held, lost: CopyRow) -> _Failed | None:
        """Out of the nearest copy that is whole."""
        if self._back(held, lost):
            return None
        whys = list[str]()
        for source in (self._from_nearline, self._from_san):
            why = source(held, lost)
            if why is None:
                return None
            whys.append(why)
        if held.tape is None or not _may_be_read(self.place, held.tape):
            return _Failed(", and ".join(whys))
        return self._from_tape(held, held.tape, lost, ", and ".join(whys))

    def _back(self, held: Held, lost: CopyRow) -> bool:
        """Whether it is whole, out of its days of grace; or since a restore that was killed."""
        if lost.path in self.grace:
            with suppress(Exists, Missing):
                self.place.store.rename(self.grace.at(lost.path), lost.path)
            crashpoints.passing("restore.back")
        if fault(self.place.store, lost, partial(still_there, self.place, Tier.HDFS)) is not None:
            return False
        self._mark(held, Tier.HDFS, "verified")
        return True

    def _from_san(self, held: Held, lost: CopyRow) -> str | None:
        made = from_san(self.place, held.part)
        return made if isinstance(made, str) else self._kept(held, replace(made, path=lost.path))

    def _from_nearline(self, held: Held, lost: CopyRow) -> str | None:
        if held.near is None or held.near_fault is not None:
            return _of_near(held)
        try:
            return self._from(held, self.place.nearline, held.near.path, lost)
        except (FormatError, Missing, OutOfRange) as error:
            still_there(self.place, Tier.NEARLINE)
            if error.path is not None and error.path.startswith("attempts/"):
                raise  # it is the copy that was being made
            self._mark(held, Tier.NEARLINE, "damaged", f"damaged: {error.what}")
            return f"its near-line copy is not whole either: {error.what}"

    def _from_tape(self, held: Held, copy: CopyRow, lost: CopyRow, why: str) -> _Failed | None:
        name, _, member = copy.path.partition("/")
        try:
            volume = self._volume(held, name)
            done = volume if isinstance(volume, _Failed) else self._from(held, volume, member, lost)
        except (FormatError, Missing, OutOfRange) as error:
            still_there(self.place, Tier.TAPE)
            if error.path is not None and error.path.startswith("attempts/"):
                raise  # it is the copy that was being made
            self._mark(held, Tier.TAPE, "damaged", f"damaged: {error.what}")
            done = f"its copy on tape is not whole either: {error.what}"
        except (StoreError, Postponed) as error:
            if isinstance(error, StoreError) and error.path is not None and error.path.startswith("attempts/"):
                raise  # HDFS is full or away, and not the volume
            done = f"volume {name} cannot be reached: {error.what}"
        return _Failed(f"{why}, and {done}") if isinstance(done, str) else done

    def _volume(self, held: Held, name: str) -> VolumeStore | _Failed:
        try:
            return TapeStore(self.place.tape).volume(name)
        except OnTape:
            row = ask(self.place, held.part.study, [name])
        if row.state == WAITING:
            return _Failed(f"volume {name} is on tape: recall {row.id} was asked for", row.id)
        return TapeStore(self.place.tape).volume(name)

    def _from(self, held: Held, store: Store, path: str, lost: CopyRow) -> str | None:
        """Out of the copy at `path`: why what came of it is not whole."""
        return self._kept(held, self._written(held, store, path, lost))

    def _kept(self, held: Held, written: PartOutcome) -> str | None:
        """What was written gets its name once it was read again; why it does not."""
        (verdict,) = LocalEngine(self.place.settings.convert.workers).verify(self.place.job, [written])
        if verdict.reason is not None:
            return f"what was restored, read again: {verdict.reason}"
        self.mine.check()
        crashpoints.passing("restore.verified")
        put(self.place.store, written, self.place.run)
        crashpoints.passing("restore.renamed")
        self._mark(held, Tier.HDFS, "verified")
        crashpoints.passing("restore.committed")
        return None

    def _written(self, held: Held, store: Store, path: str, lost: CopyRow) -> PartOutcome:
        """The part as an attempt on HDFS, under the name that it had."""
        crashpoints.passing("restore.begun", held.part.study)
        with Part.open(store, path) as part:
            done = transcode_back(part, self.place.store, f"attempts/{self.place.run}", held.part.check)
        return PartOutcome(held.part.study, done.attempt, lost.path, done.check, done.size, done.records, done.apart)

    def _mark(self, held: Held, tier: Tier, state: str, why: str | None = None) -> None:
        """Once: a copy that is known to be damaged keeps the moment at which it was found to be."""
        copy = {Tier.HDFS: held.hdfs, Tier.NEARLINE: held.near, Tier.TAPE: held.tape}[tier]
        if copy is not None and (state != "damaged" or copy.state != "damaged"):
            self.mine.check()
            if copy.state == "retired":  # it comes back on purpose: what is retired stays so else
                self.place.catalog.mark_copy(held.part.id, tier, "written", why)
            self.place.catalog.mark_copy(held.part.id, tier, state, why)


def _report(done: Iterable[tuple[Held, _Failed | None]], *, dry_run: bool) -> RestoreReport:
    report = RestoreReport(dry_run)
    for held, failed in done:
        report = _counted(report, held, failed)
    return report


def _counted(report: RestoreReport, held: Held, failed: _Failed | None) -> RestoreReport:
    rows = _rows(held, failed, dry_run=report.dry_run)
    recalled = sum(row.recall is not None for row in rows)
    copies = (held.hdfs is not None) + (held.near is not None)
    return replace(
        report,
        copies=report.copies + copies,
        whole=report.whole + copies - len(rows),
        restored=report.restored + sum(row.good for row in rows if row.tier == Tier.HDFS),
        queued=report.queued + sum(row.good for row in rows if row.tier == Tier.NEARLINE),
        recalled=report.recalled + recalled,
        lost=report.lost + sum(not row.good for row in rows) - recalled,
        rows=(*report.rows, *rows),
    )


def _rows(held: Held, failed: _Failed | None, *, dry_run: bool) -> list[Damage]:
    rows, recall = list[Damage](), None if failed is None else failed.recall
    if held.hdfs is not None and held.hdfs_fault is not None:
        done = "would be restored" if dry_run else "restored"
        if failed is not None:
            done = f"{failed.why}; then sdfo restore again" if recall else f"cannot be restored: {failed.why}"
        rows.append(_row(held, held.hdfs, held.hdfs_fault, done, good=failed is None, recall=recall))
    if held.near is not None and held.near_fault is not None:
        good = held.hdfs is not None and failed is None
        done = "waits for the next backup" if good else "can be made again only once the copy on HDFS is whole"
        rows.append(_row(held, held.near, held.near_fault, done, good=good, recall=recall))
    return rows


def _foreseen(place: Place, grace: Grace, held: Held) -> _Failed | None:
    """Why a copy on HDFS cannot be made again, as far as that is known before it is tried."""
    if held.hdfs is None or held.hdfs_fault is None or held.hdfs.path in grace:
        return None
    if held.tape is not None and _may_be_read(place, held.tape):
        return None
    if held.near is not None and held.near_fault is None:
        return None
    why = task_of(place, held.part)
    return _Failed(f"{_of_near(held)}, and {why}") if isinstance(why, str) else None


def _of_near(held: Held) -> str:
    """Why near-line has nothing to make a copy of."""
    return f"its near-line copy is not whole either: {held.near_fault}" if held.near else "it has no near-line copy"


def _may_be_read(place: Place, copy: CopyRow) -> bool:
    """Of a volume that was given up too, as long as it lies here."""
    if not place.has_tape:
        return False
    return copy.state != "damaged" or whereabouts(place.tape, copy.path.partition("/")[0]) is not None


def _row(held: Held, copy: CopyRow, why: str, done: str, *, good: bool, recall: int | None = None) -> Damage:
    return Damage(held.part.study, held.part.ordinal, copy.tier, copy.path, why, done, good, recall)
