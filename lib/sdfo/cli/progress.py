"""How far a step is: a bar on a terminal, a line now and then elsewhere. Always on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

Progress = Callable[[int, int, str], None]
"""As sdfo.nightly.engines.Progress: done, total, what."""

LINE_SECONDS = 10


@contextmanager
def showing(title: str) -> Iterator[Progress]:
    """A `Progress` for one command. Each phase (another `what`, or a count that starts again) gets its own bar."""
    if not sys.stderr.isatty():
        yield Lines(title)
        return
    with _bars() as bars:
        yield Drawn(title, bars)


class Lines:
    """`convert 120/400 exams` at most every ten seconds, and at the end of each phase."""

    def __init__(self, title: str) -> None:
        self._title, self._last = title, time.monotonic()

    def __call__(self, done: int, total: int, what: str) -> None:
        now = time.monotonic()
        if done < total and now - self._last < LINE_SECONDS:
            return
        self._last = now
        print(f"{self._title} {done}/{total} {what}", file=sys.stderr, flush=True)


class Drawn:
    def __init__(self, title: str, bars: Bars) -> None:
        self._title, self._bars = title, bars
        self._phase, self._done = "", 0
        self._task: int | None = None

    def __call__(self, done: int, total: int, what: str) -> None:
        if self._task is None or what != self._phase or done < self._done:
            self._task = self._bars.add_task(f"{self._title}: {what}", total=total, rate="")
        self._phase, self._done = what, done
        task = self._bars.tasks[self._task]
        self._bars.update(self._task, completed=done, total=total, rate=f"{task.speed:.1f}/s" if task.speed else "")  # type: ignore[arg-type]


def _bars() -> Bars:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}", markup=False),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Bars(*columns, console=Console(stderr=True))
