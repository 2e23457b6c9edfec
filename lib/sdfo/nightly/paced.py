"""An engine that reads the SAN no faster than it may: it converts a minute's worth of exams, then waits until they are due."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from sdfo.model import ExamOutcome, ExamTask, PartOutcome
from sdfo.nightly.backing import BackupOutcome, BackupTask
from sdfo.nightly.batches import cut
from sdfo.nightly.deriving import DeriveOutcome, DeriveTask
from sdfo.nightly.engines import Engine, Progress, shifted, silent
from sdfo.nightly.job import Job, Verdict

MINUTE = 60
"""Seconds of reading after which a pause may come; an exam is never interrupted, and may be longer."""
READS = 2
"""How often convert reads each file: once to describe it, once to write it."""


class Paced:
    """`per_second` bytes of the SAN at most, on average over a piece and the pause after it."""

    def __init__(self, inner: Engine, per_second: float, sleep: Callable[[float], None] = time.sleep) -> None:
        self.inner, self.per_second, self.sleep = inner, per_second, sleep

    def convert(self, job: Job, tasks: Sequence[ExamTask], progress: Progress = silent) -> list[ExamOutcome]:
        done = list[ExamOutcome]()
        for piece in cut(tasks, self.per_second * MINUTE / READS):
            began = time.monotonic()
            done += self.inner.convert(job, piece, shifted(progress, len(done), len(tasks)))
            due = READS * sum(task.size for task in piece) / self.per_second
            self.sleep(max(0.0, due - (time.monotonic() - began)))
        return done

    def verify(self, job: Job, parts: Sequence[PartOutcome], progress: Progress = silent) -> list[Verdict]:
        """Reads no file of the SAN."""
        return self.inner.verify(job, parts, progress)

    def backup(self, job: Job, tasks: Sequence[BackupTask], progress: Progress = silent) -> list[BackupOutcome]:
        """Nor does this."""
        return self.inner.backup(job, tasks, progress)

    def derive(self, job: Job, tasks: Sequence[DeriveTask], progress: Progress = silent) -> list[DeriveOutcome]:
        """Nor this."""
        return self.inner.derive(job, tasks, progress)

    @property
    def ran(self) -> str:
        return self.inner.ran

    def close(self) -> None:
        self.inner.close()
