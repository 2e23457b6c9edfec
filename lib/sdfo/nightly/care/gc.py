"""gc: attempts that nobody will publish any more, and mrjob's files of jobs that were killed.

On near-line and in the tape staging area too, where they are mounted. An attempt is garbage when its run holds no lease and
its folder is older than a day; what an unknown outcome left at a part's final name is never touched here.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from sdfo.catalog.runs import BESIDE
from sdfo.catalog.waiting import BACKUP
from sdfo.errors import Postponed, StoreError
from sdfo.lossy.places import DERIVED, copy_path
from sdfo.nightly.place import Place
from sdfo.nightly.turn import ARCHIVE
from sdfo.stores import Stat, Store

KEEP_SECONDS = 24 * 3600
"""Age below which an attempt is kept: a night may be repeated the next morning."""


@dataclass(frozen=True, slots=True)
class GcReport:
    """`dry_run`: what would go. Attempts that are kept belong to the run at work or are young."""

    dry_run: bool
    removed: int = 0
    bytes: int = 0
    kept: int = 0


def gc(place: Place, *, dry_run: bool = False, keep_seconds: float = KEEP_SECONDS) -> GcReport:
    """Remove old attempts, or count them."""
    garbage = list(_garbage(place, keep_seconds))
    kept = sum(1 for _ in _all(place)) - len(garbage)
    garbage += _alone(place, keep_seconds)
    for store, stat in () if dry_run else garbage:
        store.delete(stat.path)
    return GcReport(dry_run, len(garbage), sum(stat.size for _, stat in garbage), kept)


def _garbage(place: Place, keep_seconds: float) -> Iterator[tuple[Store, Stat]]:
    holders = [place.catalog.lease_holder(name) for name in (ARCHIVE, *BESIDE)]
    at_work = {holder.run for holder in holders if holder is not None}
    for store, stat in _all(place):
        old = time.time() - stat.modified > keep_seconds
        if old and stat.path.split("/")[1] not in at_work:
            yield store, stat


def _alone(place: Place, keep_seconds: float) -> Iterator[tuple[Store, Stat]]:
    """Lossy objects whose near-line copy is gone: one that another codec wrote has another name, and objects of its own."""
    if place.catalog.lease_holder(BACKUP) is not None:
        return  # a copy that is being replaced is away for a moment
    with suppress(StoreError, Postponed):
        for stat in place.nearline.list(DERIVED.rstrip("/")):
            if time.time() - stat.modified > keep_seconds and not place.nearline.has(copy_path(stat.path)):
                yield place.nearline, stat


def _is_half(path: str) -> bool:
    """A file between the archive and the tape system that a kill left without its name."""
    return path.endswith(".part") and "/" in path and not path.startswith("attempts/")


def _is_of_job(path: str) -> bool:
    """`runs/<run>/mrjob-<digits>/…`: a run itself may be called so."""
    parts = path.split("/")
    return len(parts) > 3 and parts[2].startswith("mrjob-")


def _all(place: Place) -> Iterator[tuple[Store, Stat]]:
    """Attempts, and what a job of mrjob that was killed left of its input and output."""
    stores = [place.store]
    with suppress(StoreError, Postponed):  # not made yet, not mounted, or away: `status` tells
        stores.append(place.nearline)
    with suppress(StoreError, Postponed):
        stores.append(place.tape)
        yield from ((place.tape, stat) for stat in place.tape.list() if _is_half(stat.path))
    yield from ((store, stat) for store in stores for stat in store.list("attempts"))
    yield from ((place.store, stat) for stat in place.store.list("runs") if _is_of_job(stat.path))
