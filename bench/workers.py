"""Processes that are started before and wait to be told: what a start costs is not measured with the work."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

_DONE = "bench: done\n"


class Worker:
    """A process that takes a line of words with tabs between them on its standard input, answers in lines, and says when it is done.

    It says so once before the first line, when it is ready. Standard error goes to `log`.
    """

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self._command, self._log = command, log

    def __enter__(self) -> Self:
        with open(self._log, "a") as log:  # Spark says much
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )
        self.answer()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def tell(self, words: Sequence[str]) -> None:
        print(*words, sep="\t", file=self._process.stdin, flush=True)

    def answer(self) -> list[str]:
        """The lines before it was done."""
        lines = list[str]()
        for line in self._process.stdout or ():
            if line == _DONE:
                return lines
            lines.append(line.rstrip("\n"))
        raise SystemExit(f"a process of the bench ended:\n{self._log.read_text()[-4000:]}")


def together(told: Sequence[tuple[Worker, Sequence[str]]]) -> None:
    """All at once; over when the last one is."""
    for worker, words in told:
        worker.tell(words)
    for worker, _ in told:
        worker.answer()


def serve(work: Callable[[list[str]], object]) -> None:
    """The other end of a `Worker`: do the work of each line, until there are no more."""
    print(_DONE, end="", flush=True)
    for line in sys.stdin:
        work(line.rstrip("\n").split("\t"))
        print(_DONE, end="", flush=True)
