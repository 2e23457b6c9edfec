"""The Spark engine: how much faster two workers are than one, against two bare processes and one.

Two Spark sessions (local[1], local[2]) and two bare processes are started before, do one turn that is not counted, and
then wait to be told: the start of a JVM and of its Python workers is left out, as a night pays it once; what Spark does
for each job (planning, tasks, shuffle, results) is in.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path

from bench import bare
from bench.place import Exam, Place, only_part
from bench.rows import Goal, Row, divided, interleaved
from bench.sizes import Sizes
from bench.workers import Worker, serve, together
from sdfo.dicom import MemorySource, examine
from sdfo.model import Extent
from sdfo.spark.engine import SparkEngine


def rows(place: Place, sizes: Sizes) -> Iterator[Row]:
    names = [place.ct(sizes.spark_slices, seed=number).task.folder.decode() for number in range(sizes.spark_exams)]
    with ExitStack() as stack:
        spark_1, spark_2 = (stack.enter_context(_worker("spark", place, workers)) for workers in (1, 2))
        bare_1, bare_2 = (stack.enter_context(_worker("bare", place)) for _ in range(2))
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


def _worker(kind: str, place: Place, workers: int = 1) -> Worker:
    """A process that converts the exams it is told."""
    command = [sys.executable, "-m", "bench.speedup", kind, str(place.settings), str(workers)]
    return Worker(command, place.top / f"{kind}-{workers}.log")


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
    place = Place(Path(settings).parent)
    convert = _KINDS[kind](place, int(workers))
    serve(lambda names: convert([place.known(name) for name in names]))


if __name__ == "__main__":
    _serve(*sys.argv[1:])
