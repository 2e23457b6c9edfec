"""Calls with a deadline: each is made in a thread of its own, which is left behind if it does not come back in time.

A blocked call into the client cannot be interrupted. Threads are kept for the next call; one that was left behind ends with
its call, and holds up neither another call nor the end of the process.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

T = TypeVar("T")

_Work = tuple[Callable[[], Any], "SimpleQueue[_Answer]", object]
_Answer = tuple[object, Any, BaseException | None]

_idle: list[SimpleQueue[_Work]] = []
"""The queues of threads that wait for work. Its pop and append are atomic."""
os.register_at_fork(after_in_child=_idle.clear)  # no thread crosses a fork


class Late(Exception):
    """There was no answer in time."""


class Failed(Exception):
    """No way led to an answer; what each of them met is in the race's `failures`, in order."""


class Race(Generic[T]):
    """Ways to one answer, begun one after the other; the first that succeeds gives it."""

    def __init__(self) -> None:
        self._answers: SimpleQueue[_Answer] = SimpleQueue()
        self._running = 0
        self.failures: list[BaseException] = []
        self.began = time.monotonic()

    def begin(self, way: Callable[[], T], name: object = None) -> None:
        """Call `way` in another thread. `name` tells it from the others."""
        self._running += 1
        try:
            queue = _idle.pop()
        except IndexError:
            queue = SimpleQueue()
            threading.Thread(target=_work, args=(queue,), name="hdfs", daemon=True).start()
        queue.put((way, self._answers, name))

    def first(self, until: float) -> tuple[T, object]:
        """The first answer and the name of its way, by the monotonic clock's `until`.

        `Late` if there is none by then; what failed meanwhile is in `failures`. `Failed` once every way has.
        """
        while self._running:
            try:
                name, answer, error = self._answers.get(timeout=max(0.0, until - time.monotonic()))
            except Empty:
                raise Late from None
            self._running -= 1
            if error is None:
                return answer, name
            self.failures.append(error)
        raise Failed


def _work(queue: SimpleQueue[_Work]) -> None:
    while True:
        way, answers, name = queue.get()
        answer, error = None, None
        try:
            answer = way()
        except BaseException as raised:  # noqa: BLE001 the client's panics are no Exception; the caller sees them all
            error = raised
        answers.put((name, answer, error))
        del way, answers, answer, error  # an idle thread holds nothing open
        _idle.append(queue)
