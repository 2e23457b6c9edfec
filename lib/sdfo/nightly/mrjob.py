"""The mrjob engine: `jobs/mr_convert_exams.py` as a process of its own, mapper per file, reducer per exam folder.

Between its steps go lines: an exam's number, a tab, and a description as JSON (names and heads as base64).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter

from sdfo.converter import Problem
from sdfo.errors import EngineError
from sdfo.model import Description, ExamOutcome, ExamTask, PartOutcome
from sdfo.nightly.engines import Progress, silent
from sdfo.nightly.job import Halt, Job, Verdict, answers, describer, merge_exam
from sdfo.nightly.local import LocalEngine

JOB = Path(__file__).parents[3] / "jobs" / "mr_convert_exams.py"

_BYTES = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")
_TASKS = TypeAdapter(tuple[str, tuple[ExamTask, ...]], config=_BYTES)
_DESCRIBED: TypeAdapter[list[Description | Problem | Halt]] = TypeAdapter(
    list[Description | Problem | Halt], config=_BYTES
)
_OUTCOME: TypeAdapter[tuple[int, ExamOutcome | Halt]] = TypeAdapter(tuple[int, ExamOutcome | Halt], config=_BYTES)


@dataclass(frozen=True, slots=True)
class Work:
    """What a mapper and a reducer are told, by a file that mrjob brings to them."""

    job: Job
    tasks: tuple[ExamTask, ...]

    def dump(self) -> bytes:
        return _TASKS.dump_json((self.job.to_json(), self.tasks))

    @classmethod
    def load(cls, path: str) -> Work:
        job, tasks = _TASKS.validate_json(Path(path).read_bytes())
        return cls(Job.from_json(job), tasks)

    def lines(self) -> Iterable[str]:
        """One line a file: the numbers of its exam and of the file in it."""
        return (f"{exam} {n}\n" for exam, task in enumerate(self.tasks) for n in range(len(task.files)))

    def describe(self, line: str) -> tuple[str, str]:
        """Map: a line of `lines` to an exam's number and a description."""
        exam, number = line.split()
        task = self.tasks[int(exam)]
        found = describer(self.job)(task.folder, task.files[int(number)])
        return exam, _DESCRIBED.dump_json([found]).decode()

    def merge(self, exam: str, described: Iterable[str]) -> str:
        """Reduce: an exam's descriptions to its number and outcome."""
        found = (_DESCRIBED.validate_json(line)[0] for line in described)
        outcome = merge_exam(self.job, self.tasks[int(exam)], found)
        return _OUTCOME.dump_json((int(exam), outcome)).decode()


class MrjobEngine:
    """Converts by mrjob; verifies as the local engine does, in processes that wrote nothing."""

    def __init__(self, workers: int, runner: str = "local") -> None:
        self.workers, self.runner = workers, runner

    def convert(self, job: Job, tasks: Sequence[ExamTask], progress: Progress = silent) -> list[ExamOutcome]:
        work = Work(job, tuple(tasks))
        with tempfile.TemporaryDirectory(prefix="sdfo-mrjob-") as folder:
            told, lines = Path(folder) / "work.json", Path(folder) / "files.txt"
            told.write_bytes(work.dump())
            lines.write_text("".join(work.lines()))
            output = self._run(str(told), str(lines), folder)
        lines_out = output.split("\n")  # splitlines would split at the NEL in a text, too
        found = dict(_OUTCOME.validate_json(line) for line in lines_out if line)
        progress(len(found), len(tasks), "exams")
        return answers(found[number] for number in range(len(tasks)))

    def _run(self, told: str, lines: str, folder: str) -> str:
        """What goes from mapper to reducer has patients' names in it: it stays in `folder`, which is ours alone."""
        options = ["-r", self.runner, "--no-conf", "--no-bootstrap-mrjob", "--quiet"]
        command = [sys.executable, str(JOB), *options, "--work", told, lines]
        environ = {**os.environ, "TMPDIR": folder}
        done = subprocess.run(command, stdout=subprocess.PIPE, encoding="utf-8", env=environ, check=False)
        if done.returncode != 0:
            raise EngineError("the mrjob job failed", expected=0, found=done.returncode)
        return done.stdout

    def verify(self, job: Job, parts: Sequence[PartOutcome], progress: Progress = silent) -> list[Verdict]:
        return LocalEngine(self.workers).verify(job, parts, progress)

    def close(self) -> None:
        pass
