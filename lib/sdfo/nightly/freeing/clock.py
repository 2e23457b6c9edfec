"""The time that the gate goes by, and whether it can be believed: a clock that is ahead makes every file look old.

Since the last run the clock of the day must have gone as far as the one that nobody can set (CLOCK_BOOTTIME, clock_gettime(2)).
After a reboot it only must not have gone back, nor three days ahead without any run. The catalog's server and the stores have
clocks of their own, which must agree. And the catalog must be the one of the last run, which left its moment on HDFS too:
one that its own database's tools put back to an earlier day has lost holds since. What does not agree stays so until the clock
is right again, or a person says that it is.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sdfo.catalog.freeing import APART, CLOCK
from sdfo.errors import Exists, Missing, StoreError
from sdfo.nightly.place import Place

UNWATCHED = timedelta(days=3)
"""Without a run, over a reboot: a weekend."""
LAST_RUN = "state/gate"
"""Where the moment of the last run lies beside the catalog, in seconds."""
_BOOT = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Tick:
    """What the clocks of a machine say at one moment, in seconds. `boot` names the time between two boots."""

    wall: float
    boot: str
    since_boot: float


class Clock:
    """This machine's. Tests and simulations bring another."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def tick(self) -> Tick:
        boot = ""
        with suppress(OSError):
            boot = _BOOT.read_text().strip()
        return Tick(self.now().timestamp(), boot, time.clock_gettime(time.CLOCK_BOOTTIME))

    def others(self, place: Place) -> Iterator[tuple[str, datetime]]:
        """What clocks elsewhere say: each is asked when it is its turn."""
        yield "the catalog's clock", place.catalog.now()
        probe = f"attempts/{place.run}/{secrets.token_hex(8)}"
        place.store.put(probe, b"")
        try:
            yield "the HDFS store's clock", datetime.fromtimestamp(place.store.stat(probe).modified, UTC)
        finally:
            with suppress(StoreError):
                place.store.delete(probe)


OURS = Clock()


def doubt(place: Place, clock: Clock) -> str | None:
    """Why the time is not to be believed; None if it is, and then this is what the next run compares with."""
    this, marks = clock.tick(), place.catalog.gate_marks()
    last = marks.get(CLOCK)
    why = next((f"{name} differs" for name, at in clock.others(place) if abs(at - clock.now()) > APART), None)
    if last is None:
        why = why or "there is no earlier run to compare the clock with"
    else:
        why = why or stepped(Tick(**last[1]), this) or _put_back(place, Tick(**last[1]))
    if last is None or why is None:
        believe(place, clock)
    return why


def stepped(last: Tick, this: Tick) -> str | None:
    """How far the clock of the day is from where it should be; None if that is near enough."""
    gone = timedelta(seconds=this.wall - last.wall)
    if this.boot and this.boot == last.boot:
        step = gone - timedelta(seconds=this.since_boot - last.since_boot)
        return f"the clock was set by {_hours(step)} h" if abs(step) > APART else None
    if gone < -APART:
        return f"the clock went back by {_hours(-gone)} h"
    return f"no run for {_hours(gone)} h, and the machine was restarted" if gone > UNWATCHED else None


def believe(place: Place, clock: Clock) -> None:
    told: dict[str, Any] = asdict(clock.tick())
    place.catalog.mark_gate(CLOCK, told)
    with suppress(Exists):  # another run's, of this very moment
        place.store.replace(LAST_RUN, repr(told["wall"]).encode())


def _put_back(place: Place, last: Tick) -> str | None:
    try:
        seen = float(place.store.read_all(LAST_RUN))
    except Missing:
        return None
    older = timedelta(seconds=seen - last.wall) > APART
    return "the catalog is older than the last run: it was put back to an earlier day" if older else None


def _hours(span: timedelta) -> str:
    return f"{span / timedelta(hours=1):.1f}"
