"""Hours of the day: across midnight, across clock changes, and none at all."""

from __future__ import annotations

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

from sdfo.nightly.hours import Hours

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = Hours(time(20), time(6), BERLIN)
DAY = Hours(time(8), time(16, 30), BERLIN)


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


def test_a_night_goes_over_midnight():
    """Its two halves are one; the end is outside."""
    span = (_at("2026-11-24T20:00"), _at("2026-11-25T06:00"))
    assert NIGHT.holding(_at("2026-11-24T20:00")) == NIGHT.holding(_at("2026-11-25T05:59")) == span
    assert NIGHT.holding(_at("2026-11-25T06:00")) is NIGHT.holding(_at("2026-11-24T19:59")) is None


def test_hours_within_a_day():
    """And the next time they begin."""
    assert DAY.holding(_at("2026-11-24T12:00")) == (_at("2026-11-24T08:00"), _at("2026-11-24T16:30"))
    assert DAY.next_start(_at("2026-11-24T07:59")) == _at("2026-11-24T08:00")
    assert DAY.next_start(_at("2026-11-24T08:00")) == _at("2026-11-25T08:00")


def test_the_night_of_a_clock_change_is_an_hour_shorter_or_longer():
    """In October 2026 clocks go back on the 25th, in March they go forward on the 29th."""
    for inside, hours in (("2026-10-25T01:00", 11), ("2026-03-29T01:00", 9)):
        begins, ends = NIGHT.holding(_at(inside)) or (None, None)
        assert begins is not None
        assert (ends - begins).total_seconds() == hours * 3600


def test_any_time():
    """`start` equal to `end`: no moment is outside, and no end is near."""
    always, now = Hours(time(0), time(0), BERLIN), _at("2026-11-24T23:59")
    begins, ends = always.holding(now) or (None, None)
    assert begins == now
    assert (ends - now).total_seconds() == 86400


def test_how_long_they_are():
    """In seconds."""
    assert [hours.seconds / 3600 for hours in (NIGHT, DAY, Hours(time(3), time(3), BERLIN))] == [10, 8.5, 24]
