"""Converting an exam in this process: all of it against a loop, and the merge alone against a copy."""

from __future__ import annotations

from collections.abc import Iterator

from bench import bare
from bench.place import Exam, Place, only_part
from bench.rows import Goal, Row, interleaved, speed
from bench.sizes import Sizes
from sdfo import converter
from sdfo.nightly.local import LocalEngine

_GOAL = Goal("≥", 0.90)
_THREADS = LocalEngine(0).threads
"""What the engine uses where it has no worker processes: a core each."""


def rows(place: Place, sizes: Sizes) -> Iterator[Row]:
    for what, exam in (("CT", place.ct(sizes.exam)), ("MR, heads of 100 KB", place.mr(sizes.exam))):
        yield from _rows(place, sizes.rounds, what, exam)


def _rows(place: Place, rounds: int, what: str, exam: Exam) -> Iterator[Row]:
    """Each with all cores, which the goal is for, and with one thread, as the loop and the copy have."""
    ours, alone, loop = interleaved(
        rounds,
        lambda: place.timed(lambda: whole(place, exam, _THREADS)),
        lambda: place.timed(lambda: whole(place, exam, 1)),
        lambda: place.timed(lambda: bare.three_times(exam.paths, place.target())),
    )
    yield speed(f"conversion ({what}), {_THREADS} threads : loop that reads 3 ×, writes 1 ×", ours, loop, _GOAL)
    yield speed(f"conversion ({what}), one thread : the same loop", alone, loop)
    ours, alone, copied = interleaved(
        rounds,
        lambda: merge(place, exam, _THREADS),
        lambda: merge(place, exam, 1),
        lambda: place.timed(lambda: bare.copy(exam.paths, place.target())),
    )
    yield speed(f"merge alone ({what}), {_THREADS} threads : copy with SHA-256", ours, copied, _GOAL)
    yield speed(f"merge alone ({what}), one thread : the same copy", alone, copied)


def whole(place: Place, exam: Exam, threads: int) -> None:
    """Describe, merge, verify."""
    job, engine = place.job(), LocalEngine(0)
    engine.threads = threads
    (outcome,) = engine.convert(job, [exam.task])
    (verdict,) = engine.verify(job, [only_part(outcome)])
    if not verdict.whole:
        raise SystemExit(f"the bench wrote a part that is not whole: {verdict.reason}")


def merge(place: Place, exam: Exam, threads: int) -> float:
    """The descriptions are made before, and not counted."""
    desk = place.job().desk(threads)
    described = [converter.describe(desk.san, exam.task.folder, stamp) for stamp in exam.task.files]
    return place.timed(lambda: only_part(converter.merge(exam.task, described, desk)))
