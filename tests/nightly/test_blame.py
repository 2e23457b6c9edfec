"""Whom a death is laid to: the exam over which it happens, or the engine."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from sdfo.errors import EngineError
from sdfo.model import ExamOutcome, ExamTask, Fate, FileOutcome, FileStamp, PartOutcome
from sdfo.nightly.engines import Progress, convert_all, silent
from sdfo.nightly.job import Job, Verdict


class Mortal:
    """An engine that dies over some exams; it counts how often it was asked."""

    ran = "mortal"

    def __init__(self, deadly: set[int]) -> None:
        self.deadly, self.asked = deadly, 0

    def convert(self, job: Job, tasks: Sequence[ExamTask], progress: Progress = silent) -> list[ExamOutcome]:
        self.asked += 1
        if any(task.folder_id in self.deadly for task in tasks):
            raise EngineError("a worker died")
        files = [(task, FileOutcome(task.files[0], 0, Fate.ARCHIVED)) for task in tasks]
        return [ExamOutcome(task.folder_id, task.folder, (file,)) for task, file in files]

    def verify(self, job: Job, parts: Sequence[PartOutcome], progress: Progress = silent) -> list[Verdict]:
        return []

    def close(self) -> None:
        pass


TASKS = [ExamTask(number, b"%d" % number, (FileStamp(b"file", 1, 0, 0),)) for number in range(40)]


@pytest.fixture
def job(archive) -> Job:
    return archive.place().job


def test_an_engine_that_never_works_is_not_asked_for_each_exam(job: Job) -> None:
    """After five exams in vain, each tried twice, the step ends; nobody is set aside. A dead cluster may take minutes a try."""
    engine = Mortal(deadly=set(range(40)))
    with pytest.raises(EngineError):
        convert_all(engine, job, TASKS)
    assert engine.asked == 1 + 2 * 5


@pytest.mark.parametrize("deadly", [{0}, {0, 1, 2, 3}, {39}, set(range(1, 40))])
def test_exams_that_kill_are_set_aside_alone(job: Job, deadly: set[int]) -> None:
    """As long as one comes through before the engine is given up, or ever did, the others are to blame."""
    found = convert_all(Mortal(deadly), job, TASKS)
    aside = {outcome.folder_id for outcome in found if outcome.files[0].fate is Fate.SET_ASIDE}
    assert aside == deadly
