"""A file that could not be written is written anew, for a while."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from sdfo.errors import Exists, Postponed, StoreError, Unavailable
from sdfo.stores import anew


def _failing(times: int, error: Exception) -> Callable[[], int]:
    """Raises so many times, then gives the number of its call."""
    calls = 0

    def write() -> int:
        nonlocal calls
        calls += 1
        if calls <= times:
            raise error
        return calls

    return write


def test_until_it_comes_through() -> None:
    """With a pause in between that grows."""
    began = time.monotonic()
    assert anew(10, _failing(2, Unavailable("no answer"))) == 3
    assert time.monotonic() - began >= 1.5


def test_within_its_time() -> None:
    """The last error then comes out; no time at all is no second try."""
    with pytest.raises(Unavailable):
        anew(0, _failing(1, Unavailable("no answer")))
    began = time.monotonic()
    with pytest.raises(Unavailable):
        anew(1, _failing(99, Unavailable("no answer")))
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("error", [Exists("x"), StoreError("permission denied"), Postponed("safe mode")])
def test_what_another_attempt_would_meet_again(error: Exception) -> None:
    """Comes out at once."""
    began = time.monotonic()
    with pytest.raises(type(error)):
        anew(60, _failing(1, error))
    assert time.monotonic() - began < 0.4
