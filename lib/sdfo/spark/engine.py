"""The Spark engine: descriptions are shuffled by exam folder, pixel bytes never leave the Python worker.

Map tasks describe files; one reduce task an exam folder merges it. Under `spark-submit` the session is the one that was
submitted; elsewhere it is YARN's or `local[workers]`, on loopback, as the settings say.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Self, TypeVar

from py4j.protocol import Py4JError
from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from sdfo import conf
from sdfo.conf import Settings
from sdfo.converter import Problem
from sdfo.errors import EngineError, NoEngine
from sdfo.model import Description, ExamOutcome, ExamTask, PartOutcome
from sdfo.nightly.backing import BackupOutcome, BackupTask, backup_exam
from sdfo.nightly.deriving import DeriveOutcome, DeriveTask, derive_exam
from sdfo.nightly.engines import Progress, silent, yarn_logs
from sdfo.nightly.job import Halt, Job, Verdict, answers, check_part, describer, merge_exam

A = TypeVar("A")
B = TypeVar("B")

MAP_BYTES = 128 * conf.MIB
"""Bytes of SAN files that one map task reads, at most: some seconds of work, so that a lost task costs little."""

_Properties = dict[str, bool | float | int | str | None]
_CONFIG: _Properties = {
    "spark.speculation": "false",  # two tasks must not write one exam
    "spark.python.unix.domain.socket.enabled": "true",  # over TCP each task waits 40 ms for an acknowledgement
}

_LOCAL: _Properties = {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false"}
_SUBMITTED = "PYSPARK_GATEWAY_PORT"
"""Set by Spark's PythonRunner, which starts a submitted script, on this host or in a container."""

_ERRORS = (Py4JError, PySparkException, OSError)
"""OSError: where the JVM was, nobody listens."""
_POLL_SECONDS = 1


class SparkEngine:
    """`workers` counts only on this machine; `cluster`: settings that say how to run on YARN."""

    def __init__(self, workers: int, cluster: Settings | None = None) -> None:
        self.workers, self.cluster = workers, cluster
        self.ran = "spark"

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(settings.convert.workers, settings)

    @cached_property
    def session(self) -> SparkSession:
        try:
            builder = SparkSession.builder if _SUBMITTED in os.environ else SparkSession.builder.appName("sdfo")
            started = builder.config(map=self._config()).getOrCreate()
        except _ERRORS as error:
            raise NoEngine(f"Spark did not start: {_first_line(error)}", next_command="sdfo doctor") from error
        _hide(started.sparkContext)
        self.ran = f"spark {started.sparkContext.applicationId}"
        return started

    def _config(self) -> _Properties:
        """What has to be set before the context starts, whatever Spark's own defaults on this host are."""
        if _SUBMITTED in os.environ:
            SparkContext._ensure_initialized()  # of pyspark's own: before it SparkConf is empty
            given = SparkConf()
            if given.get("spark.submit.deployMode") == "cluster":
                return {}  # spark/yarn.py wrote what it was submitted with
            on_yarn = given.get("spark.master") == "yarn"
        else:
            on_yarn = self.cluster is not None and self.cluster.spark.master == "yarn"
        if on_yarn and self.cluster is not None:
            from sdfo.spark import yarn  # not at the top: executors import this module too

            return dict(yarn.client(self.cluster))
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # else whatever python3 comes first on PATH
        if _SUBMITTED in os.environ:
            return _CONFIG
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        return _CONFIG | _LOCAL | {"spark.master": f"local[{max(1, self.workers)}]"}

    def convert(self, job: Job, tasks: Sequence[ExamTask], progress: Progress = silent) -> list[ExamOutcome]:
        files = [(exam, number) for exam, task in enumerate(tasks) for number in range(len(task.files))]
        with self.running(progress, len(tasks), "exams") as context:
            told, shared = job.to_json(), context.broadcast(tuple(tasks))

            def describe(places: Iterable[tuple[int, int]]) -> Iterator[tuple[int, Description | Problem | Halt]]:
                described = describer(_job(told))
                for exam, number in places:
                    task = shared.value[exam]
                    yield exam, described(task.folder, task.files[number])

            def merge(exam: int, described: Iterable[tuple[int, Any]]) -> Iterator[ExamOutcome | Halt]:
                yield merge_exam(_job(told), shared.value[exam], (d for _, d in described))

            workers = context.defaultParallelism
            slices = workers * (1 + sum(t.size for t in tasks) // (MAP_BYTES * workers))  # none waits for the last one
            described = context.parallelize(files, min(slices, len(files))).mapPartitions(describe)
            found = described.partitionBy(len(tasks), int).mapPartitionsWithIndex(merge).collect()
            shared.destroy()
        progress(len(found), len(tasks), "exams")
        return answers(found)

    def verify(self, job: Job, parts: Sequence[PartOutcome], progress: Progress = silent) -> list[Verdict]:
        return answers(self._each(job, parts, check_part, progress, "parts"))

    def backup(self, job: Job, tasks: Sequence[BackupTask], progress: Progress = silent) -> list[BackupOutcome]:
        """In the order of the queue. On YARN the near-line store must be reached from every node."""
        return self._each(job, tasks, backup_exam, progress, "exams")

    def derive(self, job: Job, tasks: Sequence[DeriveTask], progress: Progress = silent) -> list[DeriveOutcome]:
        """As `backup`."""
        return self._each(job, tasks, derive_exam, progress, "exams")

    def _each(
        self, job: Job, items: Sequence[A], work: Callable[[Job, A], B], progress: Progress, what: str
    ) -> list[B]:
        """A Spark task for each."""
        told = job.to_json()
        with self.running(progress, len(items), what) as context:
            rows = context.parallelize(items, len(items))
            found: list[B] = rows.map(lambda item: work(_job(told), item)).collect()
        progress(len(found), len(items), what)
        return found

    @contextmanager
    def running(self, progress: Progress, total: int, what: str) -> Iterator[SparkContext]:
        """For a Spark job: its errors are `EngineError`, and every second what share of its tasks is done is told."""
        context, over = self.session.sparkContext, threading.Event()

        def tell() -> None:
            with suppress(*_ERRORS):
                while not over.wait(_POLL_SECONDS):
                    tracker = context.statusTracker()
                    jobs = filter(None, map(tracker.getJobInfo, tracker.getActiveJobsIds()))
                    stages = [found for job in jobs for found in map(tracker.getStageInfo, job.stageIds) if found]
                    if tasks := sum(stage.numTasks for stage in stages):
                        progress(total * sum(stage.numCompletedTasks for stage in stages) // tasks, total, what)

        telling = threading.Thread(target=tell, name="progress", daemon=True)
        telling.start()
        try:
            yield context
        except _ERRORS as error:
            logs = self._logs()
            if self._is_over(context):
                self.close()  # the next job begins another application; or there is none, which is nobody's exam's fault
            raise EngineError(f"the Spark job failed ({type(error).__name__})", next_command=logs) from error
        finally:
            over.set()
            telling.join()

    @staticmethod
    def _is_over(context: SparkContext) -> bool:
        """Whether the application ended with its job: too many executors died, or somebody killed it."""
        try:
            return bool(context._jsc.sc().isStopped())
        except _ERRORS:
            return True

    def _logs(self) -> str | None:
        application = self.ran.partition(" ")[2]
        return yarn_logs(application) if application.startswith("application_") else None

    def close(self) -> None:
        """End the session, and with it every worker process: a verifier is never the process that wrote."""
        if "session" in self.__dict__:
            with suppress(*_ERRORS):  # it may be dead
                self.session.stop()
            del self.session


def _hide(context: SparkContext) -> None:
    """Let nobody else enter the folders of shuffles on this machine: there are patients' names in them.

    Spark makes them for all to read. (On a cluster YARN keeps those of its executors private.)
    """
    roots = os.environ.get("SPARK_LOCAL_DIRS") or context.getConf().get("spark.local.dir") or "/tmp"  # java.io.tmpdir
    for folder in (found for root in roots.split(",") for found in Path(root).glob("blockmgr-*")):
        with suppress(OSError):  # somebody else's
            folder.chmod(0o700)


def _job(told: str) -> Job:
    """The job, at the beginning of a task in a Python worker.

    After each task pyspark.daemon collects garbage, 30 ms among all that is imported here: that need not be looked at.
    """
    gc.freeze()
    return Job.from_json(told)


def _first_line(error: Exception) -> str:
    lines = [line.strip(": ") for line in str(error).splitlines() if line.strip(": ")]
    return next((line for line in lines if "Exception" in line), type(error).__name__)
