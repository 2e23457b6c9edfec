"""The mrjob engine: `jobs/mr_convert_exams.py` as a process of its own, mapper per file, reducer per exam folder.

Between its steps go lines: an exam's number, a tab, and a description as JSON (names and heads as base64).
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import ConfigDict, TypeAdapter

from sdfo.conf import Mrjob, Settings
from sdfo.converter import Problem
from sdfo.errors import EngineError, NoEngine
from sdfo.model import Description, ExamOutcome, ExamTask, PartOutcome
from sdfo.nightly import shipment, streaming
from sdfo.nightly.backing import BackupOutcome, BackupTask
from sdfo.nightly.deriving import DeriveOutcome, DeriveTask
from sdfo.nightly.engines import Progress, silent, yarn_logs
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
    """Converts by mrjob; verifies and backs up as the local engine does, each in processes of its own."""

    def __init__(self, workers: int, settings: Mrjob | None = None) -> None:
        self.workers, self.settings = workers, settings or Mrjob()
        self.ran = "mrjob"

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(settings.convert.workers, settings.mrjob)

    def convert(self, job: Job, tasks: Sequence[ExamTask], progress: Progress = silent) -> list[ExamOutcome]:
        work = Work(job, tuple(tasks))
        output = self._on_hadoop(work) if self.settings.runner == "hadoop" else self._here(work)
        # splitlines would split at the NEL in a text, too
        found = dict(_OUTCOME.validate_json(line) for line in output.split("\n") if line)
        progress(len(found), len(tasks), "exams")
        return answers(found[number] for number in range(len(tasks)))

    def _here(self, work: Work) -> str:
        """What goes from mapper to reducer has patients' names in it: it stays in a folder that is ours alone."""
        with tempfile.TemporaryDirectory(prefix="sdfo-mrjob-") as folder:
            told, lines = Path(folder) / "work.json", Path(folder) / "files.txt"
            told.write_bytes(work.dump())
            lines.write_text("".join(work.lines()))
            done = self._run(["-r", "local", "--quiet", "--work", str(told), str(lines)], folder, None)
        if done.returncode != 0:
            raise EngineError("the mrjob job failed", expected=0, found=done.returncode)
        return done.stdout

    def _on_hadoop(self, work: Work) -> str:
        """As a streaming job. What has names in it lies below runs/, which only its owner may enter."""
        store, root = work.job.store(), work.job.settings.hdfs.root
        folder = f"runs/{work.job.run}/mrjob-{secrets.token_hex(8)}"
        told, lines = f"{folder}/work.json", f"{folder}/files.txt"
        options = streaming.options(work.tasks, shipment.ship(work.job.settings.hdfs).archives)
        options += ["--work", f"{root}/{told}", "--output-dir", f"{root}/{folder}/out", f"{root}/{lines}"]
        try:
            store.put(told, work.dump())
            store.put(lines, "".join(work.lines()).encode())
            with tempfile.TemporaryDirectory(prefix="sdfo-mrjob-") as local:
                self._done_on_hadoop(self._run(options, local, subprocess.PIPE))
            return "".join(store.read_all(file.path).decode() for file in store.list(f"{folder}/out"))
        finally:
            for file in list(store.list(folder)):
                store.delete(file.path)

    def _done_on_hadoop(self, done: subprocess.CompletedProcess[str]) -> None:
        jobs = streaming.jobs(done.stderr)
        self.ran = " ".join([self.ran, *jobs])
        if done.returncode == 0:
            return
        if not jobs:  # no exam is to blame
            raise NoEngine(f"no job began: {streaming.cause(done.stderr)}", next_command="sdfo doctor --cluster")
        raise EngineError("the mrjob job failed", expected=0, found=done.returncode, next_command=yarn_logs(jobs[-1]))

    def _run(self, options: Sequence[str], folder: str, errors: int | None) -> subprocess.CompletedProcess[str]:
        settings = ["--conf-path", self.settings.conf] if self.settings.conf else ["--no-conf"]
        command = [sys.executable, str(JOB), *settings, "--no-bootstrap-mrjob", *options]
        environ = {**os.environ, "TMPDIR": folder}
        return subprocess.run(
            command, stdout=subprocess.PIPE, stderr=errors, encoding="utf-8", env=environ, check=False
        )

    def verify(self, job: Job, parts: Sequence[PartOutcome], progress: Progress = silent) -> list[Verdict]:
        self.ran = "local"
        return LocalEngine(self.workers).verify(job, parts, progress)

    def backup(self, job: Job, tasks: Sequence[BackupTask], progress: Progress = silent) -> list[BackupOutcome]:
        self.ran = "local"
        return LocalEngine(self.workers).backup(job, tasks, progress)

    def derive(self, job: Job, tasks: Sequence[DeriveTask], progress: Progress = silent) -> list[DeriveOutcome]:
        self.ran = "local"
        return LocalEngine(self.workers).derive(job, tasks, progress)

    def close(self) -> None:
        pass
