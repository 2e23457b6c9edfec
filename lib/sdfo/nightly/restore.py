"""Restore: a damaged or lost copy is made again from one that is whole: on HDFS from near-line, else from tape; on near-line
by the backup. A volume that is not here is asked for, and the restore goes on when it is given again.

A part comes back under the very name it had, for its content is the same. Nothing is taken for whole before every byte of
it was read: what makes the copy restores every file to its digest, and another process then reads what it wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from sdfo import crashpoints
from sdfo.catalog import CopyRow, PartRow
from sdfo.catalog.recalls import WAITING
from sdfo.errors import FormatError, Missing, OnTape, OutOfRange, Postponed, StoreError
from sdfo.model import PartOutcome, Tier
from sdfo.nightly.engines import Progress, silent
from sdfo.nightly.local import LocalEngine
from sdfo.nightly.place import Place
from sdfo.nightly.putting import put
from sdfo.nightly.recall import ask
from sdfo.nightly.turn import Turn, turn
from sdfo.reader import SITE
from sdfo.sdicom import Part
from sdfo.stores import Store
from sdfo.tiers.tape.reading import TapeStore, VolumeStore
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
    rows: tuple[Lost, ...] = ()


@dataclass(frozen=True, slots=True)
class _Held:
    """A part with its copies on HDFS and near-line, each with what is wrong with it (None: nothing), and on tape."""

    part: PartRow
    hdfs: CopyRow | None
    near: CopyRow | None
    tape: CopyRow | None
    hdfs_fault: str | None = None
    near_fault: str | None = None


@dataclass(frozen=True, slots=True)
class _Failed:
    """Why a copy on HDFS could not be made again; `recall`: it can, once that one is done."""

    why: str
    recall: int | None = None


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
        None if copy is None else fault(store, copy, partial(still_there, place, copy.tier))
        for store, copy in ((place.store, held.hdfs), (place.nearline, held.near))
    )
    return replace(held, hdfs_fault=hdfs, near_fault=near)


def still_there(place: Place, tier: Tier) -> None:
    """A store that is not there misses every file; `WrongStore`, or `Missing`, where it went away."""
    if tier is Tier.NEARLINE:
        place.mounted_nearline()
    elif tier is Tier.TAPE:
        place.mounted_tape()
    else:
        place.store.stat(SITE)


def fault(store: Store, copy: CopyRow, is_there: Callable[[], None], threads: int = 1) -> str | None:
    """What is wrong with a copy, every byte of it read, and of the files beside it. `is_there` raises where the store is away."""
    try:
        with Part.open(store, copy.path) as part:
            if part.check_digest != copy.check:
                return "another file lies at its name"
            absent = part.check(deep=True, threads=threads).absent
            if absent:
                is_there()
            return f"a file that belongs beside it is missing: {absent[0]}" if absent else None
    except Missing:
        is_there()
        return "missing"
    except (FormatError, OutOfRange) as error:
        return f"damaged: {error.what}"


def _lost(place: Place) -> tuple[int, Iterator[_Held]]:
    """How many parts, and which, have a copy that is known to be damaged, or is not among what the stores list. No file is
    read for it."""
    stores = {Tier.HDFS: place.store, Tier.NEARLINE: place.nearline}
    listed = {tier: {stat.path: stat.size for stat in store.list("exams")} for tier, store in stores.items()}
    for tier in stores:
        still_there(place, tier)
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
    return _Held(part, copies.get(Tier.HDFS), copies.get(Tier.NEARLINE), copies.get(Tier.TAPE))


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

    def part(self, held: _Held) -> _Failed | None:
        """Make again what can be; why the copy on HDFS cannot."""
        failed: _Failed | None = None
        for copy, fault in ((held.hdfs, held.hdfs_fault), (held.near, held.near_fault)):
            if copy is not None and copy.state == "damaged" and fault is None:
                self._mark(held, copy.tier, "verified")  # made whole since, by a restore that was killed or by a person
        if held.near is not None and held.near_fault is not None:
            self._mark(held, Tier.NEARLINE, "damaged", held.near_fault)
        if held.hdfs is not None and held.hdfs_fault is not None:
            self._mark(held, Tier.HDFS, "damaged", held.hdfs_fault)
            failed = self._made_again(held, held.hdfs)
        return failed

    def _made_again(self, held: _Held, lost: CopyRow) -> _Failed | None:
        why = self._from_nearline(held, lost)
        if why is None or held.tape is None or held.tape.state == "damaged" or not self.place.has_tape:
            return None if why is None else _Failed(why)
        return self._from_tape(held, held.tape, lost, why)

    def _from_nearline(self, held: _Held, lost: CopyRow) -> str | None:
        if held.near is None:
            return "it has no near-line copy"
        if held.near_fault is not None:
            return f"its near-line copy is not whole either: {held.near_fault}"
        try:
            return self._from(held, self.place.nearline, held.near.path, lost)
        except (FormatError, Missing, OutOfRange) as error:
            still_there(self.place, Tier.NEARLINE)
            if error.path is not None and error.path.startswith("attempts/"):
                raise  # it is the copy that was being made
            self._mark(held, Tier.NEARLINE, "damaged", f"damaged: {error.what}")
            return f"its near-line copy is not whole either: {error.what}"

    def _from_tape(self, held: _Held, copy: CopyRow, lost: CopyRow, why: str) -> _Failed | None:
        name, _, member = copy.path.partition("/")
        try:
            volume = self._volume(held, name)
            found = volume if isinstance(volume, _Failed) else self._from(held, volume, member, lost)
        except (FormatError, Missing, OutOfRange) as error:
            still_there(self.place, Tier.TAPE)
            if error.path is not None and error.path.startswith("attempts/"):
                raise  # it is the copy that was being made
            self._mark(held, Tier.TAPE, "damaged", f"damaged: {error.what}")
            found = f"its copy on tape is not whole either: {error.what}"
        except (StoreError, Postponed) as error:
            if isinstance(error, StoreError) and error.path is not None and error.path.startswith("attempts/"):
                raise  # HDFS is full or away, and not the volume
            found = f"volume {name} cannot be reached: {error.what}"
        return _Failed(f"{why}, and {found}") if isinstance(found, str) else found

    def _volume(self, held: _Held, name: str) -> VolumeStore | _Failed:
        try:
            return TapeStore(self.place.tape).volume(name)
        except OnTape:
            row = ask(self.place, held.part.study, [name])
        if row.state == WAITING:
            return _Failed(f"volume {name} is on tape: recall {row.id} was asked for", row.id)
        return TapeStore(self.place.tape).volume(name)

    def _from(self, held: _Held, store: Store, path: str, lost: CopyRow) -> str | None:
        """Out of the copy at `path`: why what came of it is not whole."""
        written = self._written(held, store, path, lost)
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

    def _written(self, held: _Held, store: Store, path: str, lost: CopyRow) -> PartOutcome:
        """The part as an attempt on HDFS, under the name that it had."""
        crashpoints.passing("restore.begun", held.part.study)
        with Part.open(store, path) as part:
            done = transcode_back(part, self.place.store, f"attempts/{self.place.run}", held.part.check)
        return PartOutcome(held.part.study, done.attempt, lost.path, done.check, done.size, done.records, done.apart)

    def _mark(self, held: _Held, tier: Tier, state: str, why: str | None = None) -> None:
        """Once: a copy that is known to be damaged keeps the moment at which it was found to be."""
        copy = {Tier.HDFS: held.hdfs, Tier.NEARLINE: held.near, Tier.TAPE: held.tape}[tier]
        if copy is not None and (state != "damaged" or copy.state != "damaged"):
            self.mine.check()
            self.place.catalog.mark_copy(held.part.id, tier, state, why)


def _report(done: Iterable[tuple[_Held, _Failed | None]], *, dry_run: bool) -> RestoreReport:
    report = RestoreReport(dry_run)
    for held, failed in done:
        report = _counted(report, held, failed)
    return report


def _counted(report: RestoreReport, held: _Held, failed: _Failed | None) -> RestoreReport:
    rows, recalled = list[Lost](), 0
    if held.hdfs is not None and held.hdfs_fault is not None:
        failed = failed or (_hopeless(held) if report.dry_run else None)
        done = "would be restored" if report.dry_run else "restored"
        if failed is not None and failed.recall is not None:
            recalled, done = 1, f"{failed.why}; then sdfo restore again"
        elif failed is not None:
            done = f"cannot be restored: {failed.why}"
        rows.append(_row(held, held.hdfs, held.hdfs_fault, done, good=failed is None))
    if held.near is not None and held.near_fault is not None:
        good = held.hdfs is not None and failed is None
        done = "waits for the next backup" if good else "can be made again only once the copy on HDFS is whole"
        rows.append(_row(held, held.near, held.near_fault, done, good=good))
        recalled *= len(rows)
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


def _hopeless(held: _Held) -> _Failed | None:
    """Why a copy on HDFS cannot be made again, as far as that is known before it is tried."""
    if held.tape is not None and held.tape.state != "damaged":
        return None
    if held.near is None:
        return _Failed("it has no near-line copy")
    return None if held.near_fault is None else _Failed(f"its near-line copy is not whole either: {held.near_fault}")


def _row(held: _Held, copy: CopyRow, why: str, done: str, *, good: bool) -> Lost:
    return Lost(held.part.study, held.part.ordinal, copy.tier, copy.path, why, done, good)
