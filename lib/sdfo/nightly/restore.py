"""Restore: a damaged or lost copy is made again from one that is whole: on HDFS from near-line, on near-line by the backup.

A part comes back under the very name it had, for its content is the same. Nothing is taken for whole before every byte of
it was read: what makes the copy restores every file to its digest, and another process then reads what it wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from sdfo import crashpoints
from sdfo.catalog import CopyRow, PartRow
from sdfo.errors import FormatError, Missing, OutOfRange
from sdfo.model import PartOutcome, Tier
from sdfo.nightly.engines import Progress, silent
from sdfo.nightly.local import LocalEngine
from sdfo.nightly.place import Place
from sdfo.nightly.putting import put
from sdfo.nightly.turn import Turn, turn
from sdfo.reader import SITE
from sdfo.sdicom import Part
from sdfo.stores import Store
from sdfo.transcoder import restore as transcode_back

RESTORE = "restore"
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Lost:
    """A copy that is not whole. `done`: restored, waits for the backup, or why neither can be."""

    study: str
    ordinal: int
    tier: str
    path: str
    why: str
    done: str
    good: bool


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """`whole`: copies that were looked at and found so; every byte of them was read unless it was asked for those lost."""

    dry_run: bool
    copies: int = 0
    whole: int = 0
    restored: int = 0
    queued: int = 0
    lost: int = 0
    rows: tuple[Lost, ...] = ()


@dataclass(frozen=True, slots=True)
class _Held:
    """A part with its copies on HDFS and near-line, each with what is wrong with it (None: nothing)."""

    part: PartRow
    hdfs: CopyRow | None
    near: CopyRow | None
    hdfs_fault: str | None = None
    near_fault: str | None = None


def restore(place: Place, uid: str | None, progress: Progress = silent, *, dry_run: bool = False) -> RestoreReport:
    """Look at every byte of the copies of a study, series or instance; or (`uid` None) by listing for all that are lost.

    `dry_run`: what would be done. `NotFound` for a UID of nothing that is archived; `WrongStore` if near-line is not mounted.
    """
    if dry_run:
        return _report([(held, None) for held in _found(place, uid, progress)], dry_run=True)
    place.catalog.start_run(place.run, "local")
    with turn(place, RESTORE, lease=RESTORE) as mine:
        step = _Restore(place, mine)
        done = [(held, step.part(held)) for held in _found(place, uid, progress)]
        mine.report = found = _report(done, dry_run=False)
    place.catalog.release(mine.lease)
    return found


def _found(place: Place, uid: str | None, progress: Progress) -> Iterator[_Held]:
    total, held = _lost(place) if uid is None else _read(place, uid)
    for number, each in enumerate(held, 1):
        yield each
        progress(number, total, "parts")


def _read(place: Place, uid: str) -> tuple[int, Iterator[_Held]]:
    """How many parts the studies have that a UID is of; and each, all its copies read entirely."""
    parts = [part for study in place.archived(uid) for part in place.catalog.parts(study)]
    return len(parts), (_judged(place, part) for part in parts)


def _judged(place: Place, part: PartRow) -> _Held:
    held = _with_copies(place, part)
    hdfs, near = (
        None if copy is None else _fault(store, copy, partial(_still_there, place, copy.tier))
        for store, copy in ((place.store, held.hdfs), (place.nearline, held.near))
    )
    return replace(held, hdfs_fault=hdfs, near_fault=near)


def _still_there(place: Place, tier: Tier) -> None:
    """A store that is not there misses every file; `WrongStore`, or `Missing`, where it went away."""
    if tier is Tier.NEARLINE:
        place.mounted_nearline()
    else:
        place.store.stat(SITE)


def _fault(store: Store, copy: CopyRow, still_there: Callable[[], None]) -> str | None:
    """What is wrong with a copy, every byte of it read."""
    try:
        with Part.open(store, copy.path) as part:
            if part.check_digest != copy.check:
                return "another file lies at its name"
            absent = part.check(deep=True).absent
            if absent:
                still_there()
            return f"a file that belongs beside it is missing: {absent[0]}" if absent else None
    except Missing:
        still_there()
        return "missing"
    except (FormatError, OutOfRange) as error:
        return f"damaged: {error.what}"


def _lost(place: Place) -> tuple[int, Iterator[_Held]]:
    """How many parts, and which, have a copy that is known to be damaged, or is not among what the stores list. No file is
    read for it."""
    stores = {Tier.HDFS: place.store, Tier.NEARLINE: place.nearline}
    listed = {tier: {stat.path: stat.size for stat in store.list("exams")} for tier, store in stores.items()}
    for tier in stores:
        _still_there(place, tier)
    found = dict[int, _Held]()
    for tier in stores:
        for part, copy in _all(place, tier):
            why = _glance(place, listed[tier], part, copy)
            if why is not None:
                known = found.setdefault(part.id, _with_copies(place, part))
                found[part.id] = replace(known, hdfs_fault=why) if tier is Tier.HDFS else replace(known, near_fault=why)
    return len(found), iter(found.values())


def _all(place: Place, tier: Tier) -> Iterator[tuple[PartRow, CopyRow]]:
    after = 0
    while rows := place.catalog.page_of_copies(tier, after, _PAGE):
        yield from (row for row in rows if row[1].state != "retired")
        after = rows[-1][0].id


def _with_copies(place: Place, part: PartRow) -> _Held:
    copies = {copy.tier: copy for copy in place.catalog.copies(part.id) if copy.state != "retired"}
    return _Held(part, copies.get(Tier.HDFS), copies.get(Tier.NEARLINE))


def _glance(place: Place, listed: dict[str, int], part: PartRow, copy: CopyRow) -> str | None:
    if copy.path not in listed:
        return "missing"
    if copy.state == "damaged":
        return "known to be damaged"
    if listed[copy.path] != copy.size:
        return "damaged: another length"
    beside = place.catalog.aparts(part.id)
    absent = next((path for path in beside if path not in listed), None)
    return None if absent is None else f"a file that belongs beside it is missing: {absent.rpartition('/')[2]}"


class _Restore:
    def __init__(self, place: Place, mine: Turn) -> None:
        self.place, self.mine = place, mine

    def part(self, held: _Held) -> str | None:
        """Make again what can be; why the copy on HDFS cannot."""
        failed: str | None = None
        for copy, fault in ((held.hdfs, held.hdfs_fault), (held.near, held.near_fault)):
            if copy is not None and copy.state == "damaged" and fault is None:
                self._mark(held, copy.tier, "verified")  # made whole since, by a restore that was killed or by a person
        if held.near is not None and held.near_fault is not None:
            self._mark(held, Tier.NEARLINE, "damaged", held.near_fault)
        if held.hdfs is not None and held.hdfs_fault is not None:
            self._mark(held, Tier.HDFS, "damaged", held.hdfs_fault)
            failed = self._from_nearline(held, held.hdfs)
        return failed

    def _from_nearline(self, held: _Held, lost: CopyRow) -> str | None:
        if held.near is None:
            return "it has no near-line copy"
        if held.near_fault is not None:
            return f"its near-line copy is not whole either: {held.near_fault}"
        try:
            written = self._written(held, held.near, lost)
        except (FormatError, Missing, OutOfRange) as error:
            _still_there(self.place, Tier.NEARLINE)
            if error.path is not None and error.path.startswith("attempts/"):
                raise  # it is the copy that was being made
            self._mark(held, Tier.NEARLINE, "damaged", f"damaged: {error.what}")
            return f"its near-line copy is not whole either: {error.what}"
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

    def _written(self, held: _Held, near: CopyRow, lost: CopyRow) -> PartOutcome:
        """The part as an attempt on HDFS, under the name that it had."""
        crashpoints.passing("restore.begun", held.part.study)
        with Part.open(self.place.nearline, near.path) as part:
            done = transcode_back(part, self.place.store, f"attempts/{self.place.run}", held.part.check)
        return PartOutcome(held.part.study, done.attempt, lost.path, done.check, done.size, done.records, done.apart)

    def _mark(self, held: _Held, tier: Tier, state: str, why: str | None = None) -> None:
        """Once: a copy that is known to be damaged keeps the moment at which it was found to be."""
        copy = held.hdfs if tier is Tier.HDFS else held.near
        if copy is not None and (state != "damaged" or copy.state != "damaged"):
            self.mine.check()
            self.place.catalog.mark_copy(held.part.id, tier, state, why)


def _report(done: Iterable[tuple[_Held, str | None]], *, dry_run: bool) -> RestoreReport:
    report = RestoreReport(dry_run)
    for held, failed in done:
        report = _counted(report, held, failed)
    return report


def _counted(report: RestoreReport, held: _Held, failed: str | None) -> RestoreReport:
    rows = list[Lost]()
    if held.hdfs is not None and held.hdfs_fault is not None:
        why = failed or (_hopeless(held) if report.dry_run else None)
        done = f"cannot be restored: {why}" if why else "would be restored" if report.dry_run else "restored"
        rows.append(_row(held, held.hdfs, held.hdfs_fault, done, good=not why))
    if held.near is not None and held.near_fault is not None:
        good = held.hdfs is not None and held.hdfs_fault is None
        done = "waits for the next backup" if good else "can be made again only once the copy on HDFS is whole"
        rows.append(_row(held, held.near, held.near_fault, done, good=good))
    copies = (held.hdfs is not None) + (held.near is not None)
    return replace(
        report,
        copies=report.copies + copies,
        whole=report.whole + copies - len(rows),
        restored=report.restored + sum(row.good for row in rows if row.tier == Tier.HDFS),
        queued=report.queued + sum(row.good for row in rows if row.tier == Tier.NEARLINE),
        lost=report.lost + sum(not row.good for row in rows),
        rows=(*report.rows, *rows),
    )


def _hopeless(held: _Held) -> str | None:
    """Why a copy on HDFS cannot be made again, as far as that is known before it is tried."""
    if held.near is None:
        return "it has no near-line copy"
    return None if held.near_fault is None else f"its near-line copy is not whole either: {held.near_fault}"


def _row(held: _Held, copy: CopyRow, why: str, done: str, *, good: bool) -> Lost:
    return Lost(held.part.study, held.part.ordinal, copy.tier, copy.path, why, done, good)
