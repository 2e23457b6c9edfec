"""Scrub: every copy on HDFS and near-line is read again in turn, all its bytes, those first that were not for the longest.

A share a night: as much as is needed for each copy to be read within `expire.scrub_days`. What is damaged is marked, and made
again from another copy (restore.py). Tapes are read by drills and recalls: a reading wears them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from sdfo import crashpoints
from sdfo.catalog import CopyRow, PartRow
from sdfo.conf import Limits
from sdfo.errors import Fuse, LeaseHeld
from sdfo.model import Tier
from sdfo.nightly.care.faults import fault, still_there
from sdfo.nightly.care.restore import restore
from sdfo.nightly.engines import Progress, silent
from sdfo.nightly.freeing.clock import OURS, Clock
from sdfo.nightly.place import Place
from sdfo.nightly.summary import Damage
from sdfo.nightly.turn import Turn, turn
from sdfo.stores import Store

SCRUB = "scrub"
TIERS = (Tier.HDFS, Tier.NEARLINE)
BATCH = 100
"""Copies of which the catalog is told at once."""
THREADS = 2
_DAY = timedelta(days=1)
_RESTAGED = "waits for the next volume"
_LATER = "sdfo restore --lost, once nobody restores"


@dataclass(frozen=True, slots=True)
class ScrubReport:
    """`repaired`: made again; `queued`: will be by the next backup; `recalled`: once a volume is back from tape and
    `sdfo restore --lost` was given again; `lost`: nothing of these. `due`: copies that should have been read by now and were not;
    `oldest`: days since the copy was read that was not for the longest."""

    copies: int = 0
    bytes: int = 0
    damaged: int = 0
    repaired: int = 0
    queued: int = 0
    recalled: int = 0
    lost: int = 0
    due: int = 0
    oldest: float = 0.0
    rows: tuple[Damage, ...] = ()


def scrub(place: Place, progress: Progress = silent, clock: Clock = OURS) -> ScrubReport:
    """Read tonight's share. `WrongStore` if near-line is not mounted, or not any more; `Fuse`, and nothing is marked, if a store
    lacks too much."""
    place.catalog.start_run(place.run, "local")
    with turn(place, SCRUB, lease=SCRUB) as mine:
        step = _Scrub(place, mine, clock.now())
        step.work(progress)
        rows = tuple(mended(place, step.bad))
        found = step.report(rows)
        place.write(f"{SCRUB}/{mine.lease.token}.parquet", rows, Damage)
        mine.report = replace(found, rows=rows[:BATCH])
    place.catalog.release(mine.lease)
    return found


class _Scrub:
    def __init__(self, place: Place, mine: Turn, now: datetime) -> None:
        self.place, self.mine = place, mine
        self.stores: dict[Tier, Store] = {Tier.HDFS: place.store}
        if place.has_nearline:
            self.stores[Tier.NEARLINE] = place.nearline
        self.now = now
        self.read = self.size = 0
        self.bad: list[tuple[PartRow, CopyRow, str]] = []

    def work(self, progress: Progress) -> None:
        self.place.catalog.forget_ahead(self.mine.lease, self.stores)
        total = self.place.catalog.size_of_copies(self.stores)
        last = self.place.catalog.last_step(SCRUB, "done")
        days = 1.0 if last is None or last[1].ended is None else max(1.0, (self.now - last[1].ended) / _DAY)
        share = total * days / self.place.settings.expire.scrub_days
        while batch := self._next(share):
            found = [(part, copy, self._fault(copy)) for part, copy in batch]
            bad = [(part, copy, why) for part, copy, why in found if why is not None and not self._went(copy)]
            self.read += len(batch)
            self.size += sum(copy.size for _, copy in batch)
            self.bad += bad
            burnt(len(self.bad), self.read, self.place.settings.limits)
            crashpoints.passing("scrub.read")
            self._mark(found)
            progress(min(self.size, round(share)), round(share), "bytes")

    def _next(self, share: float) -> list[tuple[PartRow, CopyRow]]:
        """Those that were not read for the longest, while the share is not reached, or it is time for them before tomorrow."""
        rows = self.place.catalog.oldest_copies(self.stores, BATCH, self.now)
        chosen, size = list[tuple[PartRow, CopyRow]](), self.size
        for part, copy in rows:
            if size >= share and not self._is_due(copy):
                break
            chosen.append((part, copy))
            size += copy.size
        return chosen

    def _fault(self, copy: CopyRow) -> str | None:
        return fault(self.stores[copy.tier], copy, partial(still_there, self.place, copy.tier), THREADS)

    def _went(self, copy: CopyRow) -> bool:
        """Whether it was freed while it was read: it is not lost."""
        now = self.place.catalog.copy_at(copy.tier, copy.path)
        return now is not None and now[1].state == "retired"

    def _is_due(self, copy: CopyRow, ahead: timedelta = _DAY) -> bool:
        most = timedelta(days=self.place.settings.expire.scrub_days)
        return copy.verified_at is None or self.now + ahead - copy.verified_at >= most

    def _mark(self, found: list[tuple[PartRow, CopyRow, str | None]]) -> None:
        marks = [(copy.part_id, copy.tier, "verified" if why is None else "damaged", why) for _, copy, why in found]
        self.place.catalog.mark_copies(self.mine.lease, marks)
        crashpoints.passing("scrub.marked")

    def report(self, rows: tuple[Damage, ...]) -> ScrubReport:
        left = self.place.catalog.oldest_copies(self.stores, BATCH, self.now)
        ages = [(self.now - copy.verified_at) / _DAY for _, copy in left if copy.verified_at is not None]
        return ScrubReport(
            copies=self.read,
            bytes=self.size,
            damaged=len(self.bad),
            repaired=sum(row.good and row.tier == Tier.HDFS for row in rows),
            queued=sum(row.good and row.tier != Tier.HDFS for row in rows),
            recalled=sum(row.recall is not None for row in rows),
            lost=sum(not row.good and row.recall is None for row in rows),
            due=sum(self._is_due(copy, timedelta()) for _, copy in left),
            oldest=round(max(ages, default=0.0), 1),
            rows=rows,
        )


def burnt(bad: int, read: int, limits: Limits) -> None:
    """A store that lacks so many files is one that is half mounted, or another: what it should hold is not marked as damaged."""
    if bad >= limits.same_error_files and bad > limits.same_error * read:
        raise Fuse(
            "too many copies are not whole; of the last of them nothing was marked",
            expected=f"at most {limits.same_error:.0%} of {read}",
            found=bad,
            next_command="sdfo doctor; sdfo restore --lost --dry-run; "
            "if they are lost indeed, SDFO__LIMITS__SAME_ERROR=1 sdfo scrub",
        )


def mended(place: Place, bad: list[tuple[PartRow, CopyRow, str]]) -> Iterator[Damage]:
    """Each exam of which a copy is damaged is restored, once; what became of each copy."""
    done = dict[tuple[str, int, str], tuple[str, bool, int | None]]()
    for study in sorted({part.study for part, _, _ in bad}):
        try:
            for row in restore(place, study).rows:
                done[row.study, row.ordinal, row.tier] = row.done, row.good, row.recall
        except LeaseHeld:
            continue
    for part, copy, why in bad:
        other = (_RESTAGED, True, None) if copy.tier is Tier.TAPE else (_LATER, False, None)
        what, good, recall = done.get((part.study, part.ordinal, copy.tier), other)
        yield Damage(part.study, part.ordinal, copy.tier, copy.path, why, what, good, recall)
