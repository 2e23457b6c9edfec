"""One piece of a file, asked for in one way, and in others as well when it is late: the first answer is taken.

A DataNode that hangs is not known by name: the client tries a block's nodes in the NameNode's order, and waits for each.
That one hangs is remembered for a while, so that not every piece has to find out anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Generic, TypeVar

from sdfo.errors import SdfoError, Unavailable
from sdfo.stores.hdfs.answers import translated
from sdfo.stores.hdfs.calls import Failed, Late, Race

WARY_SECONDS = 60.0
"""For how long it is remembered. Hadoop calls a node dead after 630 s by default."""
_FIRST = "first"

_wary_until = 0.0

T = TypeVar("T")

Way = Callable[[float], T]
"""Gives a piece, or raises; after the monotonic time that it is told, nobody waits for it any more."""


def wary() -> bool:
    """Whether a node is known to hang."""
    return time.monotonic() < _wary_until


def be_wary(seconds: float = WARY_SECONDS) -> None:
    global _wary_until
    _wary_until = time.monotonic() + seconds


class Read(Generic[T]):
    """On its way since it was constructed. `overtaken`: the first way was not the first to give the piece."""

    def __init__(self, path: str, deadline: float, patience: float, first: Way[T], others: Sequence[Way[T]]) -> None:
        self._path, self._deadline, self._patience, self._others = path, deadline, patience, others
        self._race: Race[T] = Race()
        self._until = self._race.began + deadline
        self._race.begin(partial(first, self._until), _FIRST)
        self.overtaken = False

    def result(self) -> T:
        """By the deadline. Whatever fails or hangs until then, there may still be a way: rounds of all others follow."""
        pause, wait_until, hangs, rounds = self._patience, self._race.began + self._patience, False, 0
        while True:
            try:
                data, name = self._race.first(min(self._until, wait_until))
            except Late:
                hangs = True
            except Failed:
                self._refused()
                if rounds:  # every way has failed: not at once again
                    time.sleep(max(0.0, min(wait_until, self._until) - time.monotonic()))
            else:
                self.overtaken = name != _FIRST
                if hangs and self.overtaken:
                    be_wary()
                return data
            if time.monotonic() >= self._until:
                raise self._error()
            pause, rounds = 2 * pause, rounds + 1
            wait_until = time.monotonic() + pause
            for way in self._others:
                self._race.begin(partial(way, self._until))

    def _refused(self) -> None:
        """Raise what no other way would change."""
        error = translated(self._race.failures[-1], self._path)
        if not isinstance(error, Unavailable):
            raise error from self._race.failures[-1]

    def _error(self) -> SdfoError:
        cause = self._race.failures[0] if self._race.failures else Late()
        return translated(cause, self._path, late=self._deadline)
