"""The first load: the exams of ten years that lay on the SAN when the archive came, newest first, slice by slice.

A slice is a whole run like a night's (scan, convert, verify, publish, report; `backfill-<day>-<n>`) over the newest exams
that wait, up to `backfill.gib_per_run`. Which exams wait is the night's word: its scan leaves those to the first load that
are older than `backfill.days` and of which nothing was ever archived. Once a slice has published, its exams wait no longer;
what it could not archive of them is the night's, as of any other exam. So each exam is taken once, whatever fails.

The night comes first. A slice begins only within the first load's own hours; not between the night's start and the end of
tonight's good night; and only as large as is thought to end before these hours and before the next night's start. The lease
is given back between slices, and none begins while a night has not come to its report. A slice that was killed is begun again under its own id.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from zoneinfo import ZoneInfo

from sdfo.catalog import RunRow, StepRow
from sdfo.conf import GIB, MIB, Settings
from sdfo.errors import Fuse, LeaseHeld, NotFound, Postponed, SdfoError, Unavailable, UsageError
from sdfo.model import Fate
from sdfo.nightly import figures
from sdfo.nightly.engines import Engine, Progress, silent
from sdfo.nightly.night import night
from sdfo.nightly.paced import Paced
from sdfo.nightly.place import SLICE, Place, is_slice
from sdfo.nightly.remaining import LAST_SECONDS, Left, left, night_hours, per_second, window
from sdfo.nightly.scan import SEEN, Seen
from sdfo.nightly.summary import NightReport
from sdfo.nightly.turn import ARCHIVE

Clock = Callable[[], datetime]

_FIRST = 0.1  # of a slice: the first one measures how fast the next ones are
_RUNS = 10_000  # of late, among which the last slice and tonight's night are looked for


@dataclass(frozen=True, slots=True)
class Slice:
    """What became of one slice. `files`: archived by it. `why`, `next`: where it is not good, or where a person must look."""

    run: str
    good: bool
    exams: int
    files: int
    bytes: int
    seconds: float
    page: str
    why: str | None = None
    next: str | None = None


@dataclass(frozen=True, slots=True)
class BackfillReport:
    """`stopped`: why no further slice was begun. `failed`: for a reason that a person must look at."""

    slices: tuple[Slice, ...]
    stopped: str
    failed: bool
    left: Left


@dataclass(frozen=True, slots=True)
class Stop:
    """Why no slice may begin now. `error`: what the command ends with if none did before; `failed`: whether it fails if some did."""

    why: str
    error: SdfoError | None = None
    failed: bool = False


def backfill(
    settings: Settings,
    engine: str,
    progress: Progress = silent,
    slices: int | None = None,
    clock: Clock = lambda: datetime.now(UTC),
) -> BackfillReport:
    """Run slices until nothing waits, the hours are over, one is not good, or there were `slices` of them.

    Where none could begin: `Postponed` (outside the hours, tonight's night is not done, another run at work, the store does
    not answer), `Fuse` (no room in the store). `NotFound` before a first night, `UsageError` without `backfill.days`.
    """
    place = Place(settings, "backfill")
    require(place)
    done = list[Slice]()
    while (stop := _stop(place, clock(), len(done), slices) or _next(place, engine, progress, clock(), done)) is None:
        pass
    if stop.error is not None and not done:
        raise stop.error
    return BackfillReport(tuple(done), stop.why, stop.failed, left(place))


def _next(place: Place, engine: str, progress: Progress, now: datetime, done: list[Slice]) -> Stop | None:
    """Run one slice. Not one more if it is not good, or did not come to its end."""
    try:
        done.append(_slice(place, engine, progress, now))
    except LeaseHeld as error:
        return Stop(str(error), error)
    except Postponed as error:
        return Stop(str(error), error, failed=True)
    except Unavailable as error:
        return Stop(str(error), Postponed(f"the store does not answer: {error}"), failed=True)
    return None if done[-1].good else Stop(f"slice {done[-1].run} is not good", failed=True)


def require(place: Place) -> None:
    """That there is a first load, and that a night has looked which exams are its own."""
    if not place.settings.backfill.days:
        raise UsageError(
            "no exams are left to a first load: backfill.days is 0", next_command="set backfill.days, then sdfo night"
        )
    if not any(_has_scanned(place, row) for row in _nights(place)):
        raise NotFound("no night has looked yet which exams wait", next_command="sdfo night")


def _stop(place: Place, now: datetime, done: int, slices: int | None) -> Stop | None:
    if done == slices:
        return Stop(f"{figures.many(done, 'slice')} done, as asked for")
    if not place.catalog.backlog().exams:
        return Stop("nothing waits any more")
    if _ends(place.settings, now) - now < timedelta(seconds=LAST_SECONDS):
        hours = window(place.settings)
        return _later(f"it is not the time: slices begin from {hours} ({place.settings.night.timezone})")
    tonight = night_hours(place.settings).holding(now)
    if tonight is not None and not any(_late(place, tonight[0], lambda report: _was_good(report, tonight[0]))):
        return _later("tonight's night has not ended well yet, and it comes first")
    unfinished = next(_late(place, now, lambda report: report is None or report.state != "done"), None)
    if unfinished is not None:
        return _later(f"run {unfinished} has not come to its report", f"sdfo night --run {unfinished}")
    try:
        free, total = place.store.free()
    except Unavailable as error:
        return _later(f"the store does not answer: {error}", failed=True)
    if free - _most(place, now) < place.settings.limits.free * total:
        room = Fuse("the store would have less than limits.free of its room left", next_command="sdfo status")
        return Stop(str(room), room, failed=True)
    return None


def _later(why: str, next_command: str | None = None, *, failed: bool = False) -> Stop:
    return Stop(why, Postponed(why, next_command=next_command), failed)


def _ends(settings: Settings, now: datetime) -> datetime:
    """Until when a slice may run that begins now: its hours' end, or the next night's start. `now` outside of its hours."""
    hours = window(settings).holding(now)
    return now if hours is None else min(hours[1], night_hours(settings).next_start(now))


def _most(place: Place, now: datetime) -> int:
    """Bytes of a slice that begins now: all that it may have, or what is thought to be done in time."""
    full, speed = int(place.settings.backfill.gib_per_run * GIB), per_second(place)
    if speed is None:
        return max(1, int(full * _FIRST))
    seconds = (_ends(place.settings, now) - now).total_seconds() - LAST_SECONDS
    return max(1, min(full, int(speed * seconds)))


def _slice(above: Place, engine: str, progress: Progress, now: datetime) -> Slice:
    place = Place(above.settings, _next_id(above, now))
    _not_two(place)
    report = night(place, engine, progress, _most(place, now), _paced(place.settings))
    if report.steps.get("publish", {}).get("state") == "done":
        place.catalog.take_waiting(row.folder_id for row in place.read(SEEN, Seen, "scan"))
    return _told(place, report)


def _paced(settings: Settings) -> Callable[[Engine], Engine]:
    most = settings.backfill.mib_per_second * MIB
    return lambda engine: Paced(engine, most) if most else engine


def _next_id(place: Place, now: datetime) -> str:
    """The last slice's own id if it did not come to its end; else the next one of today."""
    last = next((row.run for row in place.catalog.runs(_RUNS) if is_slice(row.run)), "")
    report = place.catalog.steps(last).get("report")
    if last and (report is None or report.state != "done"):
        return last
    today = f"{SLICE}{now.astimezone(ZoneInfo(place.settings.night.timezone)):%Y-%m-%d}-"
    number = last.removeprefix(today)
    return f"{today}{int(number) + 1 if last.startswith(today) and number.isdecimal() else 1}"


def _not_two(place: Place) -> None:
    """`LeaseHeld` if this very slice is at work elsewhere: to begin it again would fence it. Not if its process is gone."""
    holder = place.catalog.lease_holder(ARCHIVE)
    if holder is not None and holder.run == place.run and not _is_gone(holder.holder):
        raise LeaseHeld("another backfill is at work, or died less than five minutes ago", found=holder.run)


def _is_gone(holder: str) -> bool:
    """Whether a process of this host (Place.holder) is no more; of another host nobody knows."""
    host, pid, _ = holder.rsplit(":", 2)
    return host == socket.gethostname() and pid != str(os.getpid()) and not Path(f"/proc/{pid}").exists()


def _nights(place: Place) -> Iterator[RunRow]:
    """Newest first."""
    return (row for row in place.catalog.runs(_RUNS) if not is_slice(row.run))


def _has_scanned(place: Place, row: RunRow) -> bool:
    scanned = place.catalog.steps(row.run).get("scan")
    return scanned is not None and scanned.state == "done"


def _late(place: Place, since: datetime, like: Callable[[StepRow | None], bool]) -> Iterator[str]:
    """Nights whose report is `like` that, newest first, begun at the earliest a day before `since`: none takes so long."""
    late = takewhile(lambda row: row.started > since - timedelta(days=1), _nights(place))
    return (row.run for row in late if like(place.catalog.steps(row.run).get("report")))


def _was_good(report: StepRow | None, since: datetime) -> bool:
    return report is not None and report.report.get("ok") is True and report.ended is not None and report.ended > since


def _told(place: Place, report: NightReport) -> Slice:
    scanned = report.steps.get("scan", {}).get("report", {})
    first = next(iter(report.todo), None)
    return Slice(
        place.run,
        report.good,
        int(scanned.get("exams", 0)),
        report.ledger.lines.get(str(Fate.ARCHIVED), 0),
        int(scanned.get("bytes", 0)),
        round(sum(float(row["report"].get("seconds", 0)) for row in report.steps.values()), 3),
        f"{place.settings.hdfs.root}/{place.path('report.html')}",
        None if first is None else first.what,
        None if first is None else first.command,
    )
