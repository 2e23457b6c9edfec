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


def rows(place: Place, sizes: Sizes) -> Iterator[Row]:
    for what, exam in (("CT", place.ct(sizes.exam)), ("MR, heads of 100 KB", place.mr(sizes.exam))):
        ours, loop = interleaved(
            sizes.rounds,
            lambda e=exam: place.timed(lambda: whole(place, e)),
            lambda e=exam: place.timed(lambda: bare.three_times(e.paths, place.target())),
        )
        yield speed(f"conversion ({what}): describe, merge, verify : loop that reads 3 ×, writes", ours, loop, _GOAL)
        ours, copied = interleaved(
            sizes.rounds,
            lambda e=exam: merge(place, e),
            lambda e=exam: place.timed(lambda: bare.copy(e.paths, place.target())),
        )
        yield speed(f"merge alone ({what}) : copy with SHA-256", ours, copied, _GOAL)


def whole(place: Place, exam: Exam) -> None:
    engine, job = LocalEngine(0), place.job()
    (outcome,) = engine.convert(job, [exam.task])
    (verdict,) = engine.verify(job, [only_part(outcome)])
    if not verdict.whole:
        raise SystemExit(f"the bench wrote a part that is not whole: {verdict.reason}")


def merge(place: Place, exam: Exam) -> float:
    """The descriptions are made before, and not counted."""
    desk = place.job().desk()
    described = [converter.describe(desk.san, exam.task.folder, stamp) for stamp in exam.task.files]
    return place.timed(lambda: only_part(converter.merge(exam.task, described, desk)))
