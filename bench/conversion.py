"""Converting an exam in this process: all of it against a loop, and the merge alone against a copy."""

from __future__ import annotations

from collections.abc import Iterator

from bench import bare
from bench.place import Exam, Place
from bench.rows import Goal, Row, interleaved, speed
from sdfo import converter
from sdfo.converter import Desk
from sdfo.model import ExamOutcome
from sdfo.nightly.local import LocalEngine

_GOAL = Goal("≥", 0.90)


def rows(place: Place, rounds: int, slices: int) -> Iterator[Row]:
    for what, exam in (("CT", place.exam(slices, "CT", 512)), ("MR, heads of 100 KB", place.mr_exam(slices))):
        ours, loop = interleaved(
            rounds,
            lambda e=exam: place.timed(lambda: whole(place, e)),
            lambda e=exam: place.timed(lambda: bare.three_times(e.paths, place.target())),
        )
        yield speed(f"conversion ({what}): describe, merge, verify : loop that reads 3 ×, writes", ours, loop, _GOAL)
        ours, copied = interleaved(
            rounds,
            lambda e=exam: merge(place, e),
            lambda e=exam: place.timed(lambda: bare.copy(e.paths, place.target())),
        )
        yield speed(f"merge alone ({what}) : copy with SHA-256", ours, copied, _GOAL)


def whole(place: Place, exam: Exam) -> None:
    engine, job = LocalEngine(0), place.job()
    (outcome,) = engine.convert(job, [exam.task])
    verdicts = engine.verify(job, _parts(outcome))
    if not all(verdict.whole for verdict in verdicts):
        raise SystemExit(f"the bench wrote a part that is not whole: {verdicts}")


def merge(place: Place, exam: Exam) -> float:
    """The descriptions are made before, and not counted."""
    desk: Desk = place.job().desk()
    described = [converter.describe(desk.san, exam.task.folder, stamp) for stamp in exam.task.files]
    return place.timed(lambda: _parts(converter.merge(exam.task, described, desk)))


def _parts(outcome: ExamOutcome) -> tuple:
    """The exam's parts; anything else in the outcome would make the numbers worthless."""
    if outcome.reason or not outcome.parts:
        raise SystemExit(f"the bench's exam was not converted: {outcome.reason}")
    return outcome.parts
