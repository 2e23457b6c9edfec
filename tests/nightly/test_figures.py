"""Figures as people read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdfo.nightly import figures


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (12_345, "12.3 kB"),
        (999_499, "999 kB"),
        (999_500, "1.00 MB"),
        (5e15, "5.00 PB"),
    ],
)
def test_sizes(count, text):
    """Three digits and a decimal unit."""
    assert figures.size(count) == text


@given(st.integers(0, 10**18))
def test_a_size_is_never_off_by_more_than_its_last_digit(count):
    """Whatever the number: within half a percent."""
    value, unit = figures.size(count).split()
    factor = 1000 ** ["B", "kB", "MB", "GB", "TB", "PB"].index(unit)
    assert abs(float(value) * factor - count) <= 0.005 * count + 0.5


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "–"), (0, "0.00 s"), (0.42, "0.42 s"), (4.2, "4.2 s"), (12, "12 s"), (59.6, "1 min 00 s"), (61.2, "1 min 01 s"),
     (3599.6, "1 h 00 min"), (7620, "2 h 07 min"), (86399, "1 d 00 h"), (100_000, "1 d 04 h")],
)  # fmt: skip
def test_durations(seconds, text):
    """No 60 seconds and no 24 hours, whatever the rounding."""
    assert figures.duration(seconds) == text


def test_until_full():
    """A guess beyond ten years says no more than that."""
    assert [figures.until_full(days) for days in (None, 12.4, 900_000)] == [
        "does not fill up",
        "in about 12 days",
        "in more than ten years",
    ]


def test_many():
    """One file, two files, a thousand studies."""
    assert [figures.many(1, "file"), figures.many(2, "file")] == ["1 file", "2 files"]
    assert figures.many(1000, "study", "studies") == "1\N{NARROW NO-BREAK SPACE}000 studies"
