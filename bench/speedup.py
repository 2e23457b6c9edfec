"""The Spark engine: how much faster two workers are than one, against two bare processes and one.

Two Spark sessions (local[1], local[2]) and two bare processes are started before, do one turn that is not counted, and
then wait to be told: the start of a JVM and of its Python workers is left out, as a night pays it once; what Spark does
for each job (planning, tasks, shuffle, results) is in.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

from bench import bare
from bench.place import Exam, Place, only_part
from bench.rows import Goal, Row, divided, interleaved
from bench.sizes import Sizes
from sdfo.dicom import MemorySource, examine
from sdfo.model import Extent
from sdfo.spark.engine import SparkEngine


def rows(place: Place, sizes: Sizes) -> Iterator[Row]:
    names = [place.ct(sizes.spark_slices, seed=number).task.folder.decode() for number in range(sizes.spark_exams)]
    with ExitStack() as stack:
        spark_1, spark_2 = (stack.enter_context(_Worker("spark", place, workers)) for workers in (1, 2))
        bare_1, bare_2 = (stack.enter_context(_Worker("bare", place)) for _ in range(2))
        turns = [
            lambda: place.timed(lambda: together([(spark_1, names)])),
            lambda: place.timed(lambda: together([(spark_2, names)])),
            lambda: place.timed(lambda: together([(bare_1, names)])),
            lambda: place.timed(lambda: together([(bare_1, names[::2]), (bare_2, names[1::2])])),
        ]
        one, two, bare_one, bare_two = interleaved(sizes.rounds, *turns)
    ours, reference = divided(one, two), divided(bare_one, bare_two)
    yield Row("Spark's speed-up by a 2nd worker : that of bare processes", "×", ours, reference,
              divided(ours, reference), Goal("≥", 0.90))  # fmt: skip
    yield Row("the same convert step: Spark with 2 workers : 2 bare processes", "s", two, bare_two,
              divided(bare_two, two))  # fmt: skip


class _Worker:
    """A process that converts the exams it is told, each time it is told."""

    def __init__(self, kind: str, place: Place, workers: int = 1) -> None:
        self._command = [sys.executable, "-m", "bench.speedup", kind, str(place.settings), str(workers)]
        self._log = place.top / f"{kind}-{workers}.log"

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

    def tell(self, names: Sequence[str]) -> None:
        print(json.dumps(names), file=self._process.stdin, flush=True)

    def answer(self) -> None:
        for line in self._process.stdout or ():
            if line == _DONE:
                return
        raise SystemExit(f"a process of the bench ended:\n{self._log.read_text()[-4000:]}")


_DONE = "bench: done\n"


def together(told: Sequence[tuple[_Worker, Sequence[str]]]) -> None:
    """All at once; over when the last one is."""
    for worker, names in told:
        worker.tell(names)
    for worker, _ in told:
        worker.answer()


def _by_spark(place: Place, workers: int) -> Callable[[Sequence[Exam]], None]:
    engine = SparkEngine(workers)
    _ = engine.session

    def convert(exams: Sequence[Exam]) -> None:
        for outcome in engine.convert(place.job(), [exam.task for exam in exams]):
            only_part(outcome)

    return convert


def _bare(place: Place, _: int) -> Callable[[Sequence[Exam]], None]:
    @cache
    def pixels(path: Path) -> Extent | None:
        return examine(MemorySource(bare.read(path))).pixels

    def convert(exams: Sequence[Exam]) -> None:
        for exam in exams:
            target = place.top / "bare" / exam.task.folder.decode()
            bare.convert(exam.paths, [pixels(path) for path in exam.paths], target)

    return convert


_KINDS = {"spark": _by_spark, "bare": _bare}


def _serve(kind: str, settings: str, workers: str) -> None:
    """Convert the exams of each line, until there are no more lines."""
    place = Place(Path(settings).parent)
    convert = _KINDS[kind](place, int(workers))
    print(_DONE, end="", flush=True)
    for line in sys.stdin:
        convert([place.known(name) for name in json.loads(line)])
        print(_DONE, end="", flush=True)


if __name__ == "__main__":
    _serve(*sys.argv[1:])
