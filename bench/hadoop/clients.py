"""1, 2 and 4 clients at once, each a process with exams of its own, reading or converting: the paper's Table 1.

The paper's cluster was 20 servers, ours is all on this machine: so beside each row stands what as many plain processes
reach here, and the paper's figure is in its name.

`python -m bench.hadoop.clients KIND SETTINGS THREADS` is such a process.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.bare import read, read_and_hash
from bench.hadoop import bare
from bench.hadoop.place import HadoopPlace
from bench.place import known, only_part
from bench.rows import Goal, Row, divided, interleaved
from bench.sizes import Sizes
from bench.workers import Worker, serve, together
from sdfo import conf
from sdfo.client import Archive
from sdfo.nightly.job import Halt, Job, convert_exam
from sdfo.nightly.local import LocalEngine
from sdfo.stores.hdfs import HdfsStore
from sdfo.testing.exams import study_uid

_PAPER = {"reading": {1: 82, 2: 160, 4: 323}, "converting": {1: 10, 2: 15, 4: 31}}
"""MB/s."""
_SECONDS = Goal("≤", 2)
"""The paper's 1 to 2 s for an exam."""


_ROUNDS = 3
"""At most."""


def rows(place: HadoopPlace, sizes: Sizes) -> Iterator[Row]:
    seeds = range(1, max(sizes.clients) + 1)
    exams = [place.ct(sizes.exam, seed=seed) for seed in seeds]
    size = sum(path.stat().st_size for path in exams[0].paths) / 1e6
    names = [exam.task.folder.decode() for exam in exams]
    yield from _rows(place, sizes, "converting", ("convert", names), ("copy", names), size)
    place.night()
    place.retire()
    studies = [study_uid(seed) for seed in seeds]
    parts = [place.part(study) for study in studies]
    yield from _rows(place, sizes, "reading", ("read", studies), ("stream", parts), size)


_Side = tuple[str, Sequence[str]]
"""A kind of process, and what the first, the second … of them is told."""


def _rows(place: HadoopPlace, sizes: Sizes, what: str, ours: _Side, plain: _Side, size: float) -> Iterator[Row]:
    """`size`: of one exam, in MB."""
    for clients in sizes.clients:
        with ExitStack() as stack:
            turns = [_turn(place, stack, side, clients) for side in (ours, plain)]
            seconds, reference = interleaved(min(_ROUNDS, sizes.rounds), *turns)
        rates, plain_rates = ([clients * size / s for s in side] for side in (seconds, reference))
        name = f"{what}, {clients} client(s), {_PAPER[what][clients]} MB/s in the paper : plain ones"
        yield Row(name, "MB/s", rates, plain_rates, divided(rates, plain_rates))
        if clients == 1:
            yield Row(f"{what} one exam of {sizes.exam} images, one client", "s", seconds, goal=_SECONDS)


def _turn(place: HadoopPlace, stack: ExitStack, side: _Side, clients: int) -> Callable[[], float]:
    kind, words = side
    threads = LocalEngine(clients).threads
    started = [stack.enter_context(_worker(place, kind, threads, number)) for number in range(clients)]
    told = [(worker, [word]) for worker, word in zip(started, words, strict=False)]
    return lambda: place.timed(lambda: together(told))


def _worker(place: HadoopPlace, kind: str, threads: int, number: int) -> Worker:
    command = [sys.executable, "-m", "bench.hadoop.clients", kind, str(place.settings), str(threads), place.san_id]
    return Worker(command, place.top / f"{kind}-{number}.log")


# ---- in the process


class _Client:
    def __init__(self, settings: Path, threads: int, san: str) -> None:
        self._loaded, self._threads = conf.load(settings), threads
        self._store, self._archive = HdfsStore(self._loaded.hdfs.root, self._loaded.hdfs), Archive(self._loaded)
        self._job = Job(self._loaded, "clients", san)

    def read(self, study: str) -> None:
        for _, _ in self._archive.exam(study):
            pass
        if self._archive.faults:
            raise SystemExit("an image could not be read from HDFS")

    def stream(self, part: str) -> None:
        bare.stream_and_hash(self._store, part)

    def convert(self, name: str) -> None:
        outcome = convert_exam(self._job, known(self._job.mounted(), name).task, self._threads)
        if isinstance(outcome, Halt):
            raise outcome.error()
        only_part(outcome)

    def copy(self, name: str) -> None:
        """What must be read, hashed and written: each file read and hashed twice, as `describe` and `merge` must."""
        paths = known(self._job.mounted(), name).paths
        read_and_hash(paths)
        bare.write_and_hash(self._store, bare.fresh(), map(read, paths))


def _serve(kind: str, settings: str, threads: str, san: str) -> None:
    work = getattr(_Client(Path(settings), int(threads), san), kind)
    serve(lambda words: list(map(work, words)))


if __name__ == "__main__":
    _serve(*sys.argv[1:])
