"""A file that could not be written is written anew."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from sdfo.errors import Unavailable

T = TypeVar("T")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 5.0


def anew(seconds: float, write: Callable[[], T]) -> T:
    """What `write` returns. While it meets `Unavailable` it is called again; none is begun after `seconds`.

    It must write to a new name each time: what an attempt left behind is garbage.
    """
    until, pause = time.monotonic() + seconds, _FIRST_PAUSE
    while True:
        try:
            return write()
        except Unavailable:
            if time.monotonic() + pause > until:
                raise
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
