"""What is left of the first load, and how long it may take: measured where there is something to measure, else unknown."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from statistics import median
from zoneinfo import ZoneInfo

from sdfo.catalog import SanFolder, StepRow
from sdfo.conf import MIB, Settings
from sdfo.errors import SanError, Vanished
from sdfo.nightly.hours import Hours
from sdfo.nightly.paced import READS
from sdfo.nightly.place import Place, is_slice

SAMPLE = 200
"""Exam folders that are listed to tell how many bytes wait: a few seconds of reading."""
MEASURED = 9
"""The newest slices, and nights, whose median tells how fast, and how long, the next one is."""
_RUNS = 10_000  # looked through for them
LAST_SECONDS = 600
"""Nothing begins so shortly before the end of its hours: a slice takes longer than it was thought to as often as not."""


@dataclass(frozen=True, slots=True)
class Left:
    """`bytes` are counted if `counted`, else told from a sample; `newest`, `oldest`: when the exams' newest files were written.

    `per_second`: bytes of the SAN that slices archived so far. `seconds`: of work. `windows`: how often the window opens
    until it is done. None where nothing is known.
    """

    exams: int
    files: int
    bytes: int | None
    counted: bool
    newest: datetime | None
    oldest: datetime | None
    per_second: float | None = None
    seconds: float | None = None
    windows: int | None = None


def left(place: Place) -> Left:
    """Lists some `SAMPLE` exam folders, if the SAN is there; changes nothing."""
    backlog, speed = place.catalog.backlog(), per_second(place)
    each = max(1, backlog.exams // SAMPLE)
    total = _bytes(place, backlog.files, each)
    seconds = None if total is None or speed is None else total / speed
    return Left(
        backlog.exams,
        backlog.files,
        total,
        each == 1,
        _moment(backlog.newest_ns),
        _moment(backlog.oldest_ns),
        speed,
        seconds,
        None if seconds is None else math.ceil(seconds / _useful(place)),
    )


def per_second(place: Place) -> float | None:
    """Bytes of the SAN that a slice archives per second, all its steps and pauses included; None before the first."""
    rates = list(islice((size / seconds for size, seconds in _slices(place) if size and seconds), MEASURED))
    limit = place.settings.backfill.mib_per_second * MIB / READS
    measured = median(rates) if rates else None
    return min(measured, limit) if measured and limit else measured


def window(settings: Settings) -> Hours:
    return Hours(settings.backfill.start, settings.backfill.end, ZoneInfo(settings.night.timezone))


def night_hours(settings: Settings) -> Hours:
    return Hours(settings.night.start, settings.night.end, ZoneInfo(settings.night.timezone))


def _bytes(place: Place, files: int, each: int) -> int | None:
    """Of all that waits: counted, or as large as the files of a sample; None if none of it can be listed."""
    try:
        listed = list(_sizes(place, place.catalog.sample_waiting(each)))
    except SanError:
        return None
    seen, size = sum(count for count, _ in listed), sum(size for _, size in listed)
    if each == 1:
        return size
    return round(size / seen * files) if seen else None


def _sizes(place: Place, folders: list[SanFolder]) -> Iterator[tuple[int, int]]:
    for folder in folders:
        try:
            listing = place.san.list(folder.path)
        except Vanished:
            continue
        yield len(listing.files), sum(stamp.size for stamp in listing.files)


def _slices(place: Place) -> Iterator[tuple[int, float]]:
    """Bytes and seconds of the slices that published, newest first."""
    for steps in _steps(place, slices=True):
        if "scan" in steps and "publish" in steps and steps["publish"].state == "done":
            yield int(steps["scan"].report.get("bytes", 0)), _seconds(steps)


def _useful(place: Place) -> float:
    """Seconds of a window that are the first load's: what the nights of late took of it is not."""
    hours, night = window(place.settings), night_hours(place.settings)
    nights = list(islice((_seconds(s) for s in _steps(place, slices=False) if "report" in s), MEASURED))
    shared = hours.holding(night.next_start(datetime.now(UTC))) is not None
    taken = median(nights) if nights and shared else 0.0
    return max(hours.seconds - taken - LAST_SECONDS, LAST_SECONDS)


def _steps(place: Place, *, slices: bool) -> Iterator[dict[str, StepRow]]:
    return (place.catalog.steps(row.run) for row in place.catalog.runs(_RUNS) if is_slice(row.run) is slices)


def _seconds(steps: dict[str, StepRow]) -> float:
    """From the first step's begin to the last one's end."""
    ended = [row.ended for row in steps.values() if row.ended is not None]
    return (max(ended) - min(row.started for row in steps.values())).total_seconds() if ended else 0.0


def _moment(ns: int | None) -> datetime | None:
    return None if ns is None else datetime.fromtimestamp(ns / 1e9, UTC)
