"""What waits for the tape system, and since when: for the night's page, for what a person must do, and for `status`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from sdfo.catalog.recalls import WAITING
from sdfo.catalog.volumes import READY, SEALED
from sdfo.errors import Postponed, StoreError
from sdfo.model import Tier
from sdfo.nightly import figures
from sdfo.nightly.place import Place
from sdfo.nightly.summary import Todo
from sdfo.tiers.tape.room import room


@dataclass(frozen=True, slots=True)
class Awaited:
    """`parts` wait for a volume, `aside` of them for a person; `volumes` for their receipt; `recalls` for what they asked for.
    `hours`: how long the oldest of the last two has waited; None if nothing does."""

    parts: int
    bytes: int
    aside: int
    volumes: int
    recalls: int
    hours: float | None

    def late(self, most: float) -> bool:
        return self.hours is not None and self.hours > most

    def __str__(self) -> str:
        waits = f"{figures.many(self.parts, 'part')}, {figures.size(self.bytes)} wait; {self.aside} set aside"
        tapes = (
            f"without receipt: {figures.many(self.volumes, 'volume')}; waiting: {figures.many(self.recalls, 'recall')}"
        )
        return f"{waits}; {tapes}"


def awaited(place: Place) -> Awaited:
    queue = place.catalog.queue(Tier.TAPE)
    volumes, recalls = place.catalog.volumes((SEALED, READY)), place.catalog.recalls(WAITING)
    oldest = min([row.created for row in volumes] + [row.asked for row in recalls], default=None)
    hours = None if oldest is None else (datetime.now(UTC) - oldest).total_seconds() / 3600
    return Awaited(queue.parts, queue.bytes, queue.aside, len(volumes), len(recalls), hours)


def todo(place: Place) -> Iterator[Todo]:
    """Nothing of an archive without a staging area."""
    if not place.has_tape:
        return
    waits, most = awaited(place), place.settings.limits.receipt_age_hours
    if waits.late(most):
        what = (
            f"{figures.many(waits.volumes, 'volume')} without receipt, {figures.many(waits.recalls, 'recall')} waiting"
        )
        yield Todo(
            f"the tape system is late: {what}, the oldest for more than {most:g} hours", "sdfo tape ls, sdfo recalls"
        )
    try:
        share = room(place.tape, place.settings.tape).share
    except (StoreError, Postponed) as error:
        yield Todo(error.what, error.next_command or "sdfo doctor")
        return
    if share > place.settings.tape.clear_at:
        yield Todo(
            f"the tape staging area is {share:.0%} full", "sdfo tape ls: which volumes has the tape system not taken?"
        )
