"""Hours of the day in the hospital's zone, from `start` to `end`, which may be the next morning."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Hours:
    """`start` equal to `end`: at any time, and no end is near. Moments go in and come out in UTC, across clock changes."""

    start: time
    end: time
    zone: ZoneInfo

    def holding(self, now: datetime) -> tuple[datetime, datetime] | None:
        """When the hours that `now` lies in began, and when they end; None outside."""
        if self.start == self.end:
            return now, now + _DAY
        spans = (self._from(now, days) for days in (-1, 0))
        return next((span for span in spans if span[0] <= now < span[1]), None)

    def next_start(self, now: datetime) -> datetime:
        return next(start for days in (0, 1, 2) if (start := self._from(now, days)[0]) > now)

    @property
    def seconds(self) -> float:
        """How long they are, on a day without a change of the clocks."""
        minutes = (self.end.hour - self.start.hour) * 60 + self.end.minute - self.start.minute
        seconds = minutes * 60 + self.end.second - self.start.second
        return seconds % 86400 or 86400

    def __str__(self) -> str:
        return "any time" if self.start == self.end else f"{self.start:%H:%M} to {self.end:%H:%M}"

    def _from(self, now: datetime, days: int) -> tuple[datetime, datetime]:
        """Those that begin on the local day of `now`, or so many days later."""
        day = now.astimezone(self.zone).date() + days * _DAY
        until = day + _DAY if self.end <= self.start else day
        return self._at(day, self.start), self._at(until, self.end)

    def _at(self, day: date, at: time) -> datetime:
        return datetime.combine(day, at, self.zone).astimezone(UTC)
