"""The local engine: worker processes of this machine, or none: then everything runs in this process."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import Self, TypeVar

from sdfo.conf import Settings
from sdfo.errors import EngineError
from sdfo.model import ExamOutcome, ExamTask, PartOutcome
from sdfo.nightly.backing import BackupOutcome, BackupTask, backup_exam
from sdfo.nightly.deriving import DeriveOutcome, DeriveTask, derive_exam
from sdfo.nightly.engines import Progress, silent
from sdfo.nightly.job import Halt, Job, Verdict, answers, check_part, convert_exam
from sdfo.nightly.worker import die_with_parent

A = TypeVar("A")
B = TypeVar("B")

_THREADS_MOST = 4


class LocalEngine:
    """`workers` processes, started afresh for each call, so that a verifier is never the process that wrote.

    Cores that are left over go to threads inside each; a few, because they share an interpreter.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.threads = min(_THREADS_MOST, max(1, len(os.sched_getaffinity(0)) // max(1, workers)))

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(settings.convert.workers)

    @property
    def ran(self) -> str:
        return "local"

    def convert(self, job: Job, tasks: Sequence[ExamTask], progress: Progress = silent) -> list[ExamOutcome]:
        return self._map(partial(convert_exam, threads=self.threads), job, tasks, progress, "exams")

    def verify(self, job: Job, parts: Sequence[PartOutcome], progress: Progress = silent) -> list[Verdict]:
        return self._map(partial(check_part, threads=self.threads), job, parts, progress, "parts")

    def backup(self, job: Job, tasks: Sequence[BackupTask], progress: Progress = silent) -> list[BackupOutcome]:
        """By `nearline.workers`: what is written there is a matter of its own."""
        return LocalEngine(job.settings.nearline.workers)._map(backup_exam, job, tasks, progress, "exams")

    def derive(self, job: Job, tasks: Sequence[DeriveTask], progress: Progress = silent) -> list[DeriveOutcome]:
        """As `backup`, of which it is a part."""
        return LocalEngine(job.settings.nearline.workers)._map(derive_exam, job, tasks, progress, "exams")

    def close(self) -> None:
        pass

    def _map(
        self, work: Callable[[Job, A], B | Halt], job: Job, items: Sequence[A], progress: Progress, what: str
    ) -> list[B]:
        if not self.workers:
            return answers(_counted((work(job, item) for item in items), len(items), progress, what))
        pool = ProcessPoolExecutor(self.workers, multiprocessing.get_context("spawn"), die_with_parent)
        try:
            futures = [pool.submit(work, job, item) for item in items]
            for n, _ in enumerate(as_completed(futures), 1):
                progress(n, len(items), what)
            return answers(future.result() for future in futures)
        except BrokenProcessPool as error:
            raise EngineError("a worker process died") from error
        finally:
            pool.shutdown(cancel_futures=True)


def _counted(results: Iterable[B], total: int, progress: Progress, what: str) -> Iterator[B]:
    for done, result in enumerate(results, 1):
        progress(done, total, what)
        yield result
