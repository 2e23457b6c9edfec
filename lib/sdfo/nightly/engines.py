"""Engines: what runs Map and Reduce. One table; each engine runs the same functions and writes the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from importlib import import_module
from typing import Protocol, TypeVar

from sdfo.conf import Settings
from sdfo.errors import EngineError, SettingsError
from sdfo.model import ExamOutcome, ExamTask, Fate, PartOutcome
from sdfo.nightly.backing import BackupOutcome, BackupTask
from sdfo.nightly.deriving import DeriveOutcome, DeriveTask
from sdfo.nightly.job import Job, Verdict, set_aside

_ENOUGH = 5
"""Exams that fail one by one before any came through, after which it is the engine that is to blame."""

KILLED = "engine: "
"""What the reason begins with of an exam that killed its worker twice, alone."""

A = TypeVar("A")
T = TypeVar("T")

ENGINES = {
    "local": "sdfo.nightly.local:LocalEngine",
    "spark": "sdfo.spark.engine:SparkEngine",
    "mrjob": "sdfo.nightly.mrjob:MrjobEngine",
}
"""Name in settings → module:class."""

Progress = Callable[[int, int, str], None]
"""Called with exams done, exams in all, and what is being done."""


def silent(done: int, total: int, what: str) -> None:
    """A `Progress` that shows nothing."""


def shifted(progress: Progress, before: int, total: int) -> Progress:
    """Of a part of the work, before which so many of `total` were done."""
    return lambda done, _, what: progress(before + done, total, what)


def yarn_logs(application: str) -> str:
    """The command that shows what an application's containers said; a job's id stands for its application's."""
    return f"yarn logs -applicationId {application.replace('job_', 'application_')}"


class Engine(Protocol):
    """Runs a step over exams or parts. `EngineError` says that a worker or the engine died: all of the call is undone.

    An exam's own faults are in its outcome, never raised. The answer is in the order of the question.
    """

    @property
    def ran(self) -> str:
        """What did the work, for the report: on a cluster with the ids that `yarn logs` asks for."""

    def convert(self, job: Job, tasks: Sequence[ExamTask], progress: Progress = silent) -> list[ExamOutcome]: ...

    def verify(self, job: Job, parts: Sequence[PartOutcome], progress: Progress = silent) -> list[Verdict]: ...

    def backup(self, job: Job, tasks: Sequence[BackupTask], progress: Progress = silent) -> list[BackupOutcome]: ...

    def derive(self, job: Job, tasks: Sequence[DeriveTask], progress: Progress = silent) -> list[DeriveOutcome]: ...

    def close(self) -> None:
        """Let go of every process."""


def open_engine(name: str, settings: Settings) -> Engine:
    if name not in ENGINES:
        raise SettingsError("no such engine", expected=" | ".join(ENGINES), found=name)
    module, _, kind = ENGINES[name].partition(":")
    engine: Engine = getattr(import_module(module), kind).of(settings)
    return engine


def convert_all(engine: Engine, job: Job, tasks: Sequence[ExamTask], progress: Progress = silent) -> list[ExamOutcome]:
    """`engine.convert`, such that an exam that kills its worker costs only itself: it is set aside.

    Where none of several exams comes through, the engine is to blame: `EngineError`.
    """
    try:
        found = engine.convert(job, tasks, progress)
    except EngineError:
        found = _one_by_one(partial(engine.convert, job), tasks, _killed, progress)
    if len(found) > 1 and all(file.fate is Fate.SET_ASIDE for outcome in found for file in outcome.files):
        raise EngineError(f"no exam of {len(found)} was converted; the first: {found[0].reason}")
    return found


def verify_all(engine: Engine, job: Job, parts: Sequence[PartOutcome], progress: Progress = silent) -> list[Verdict]:
    """`engine.verify`, likewise: a part that kills its worker is not whole, and not all of several are to blame."""
    try:
        found = engine.verify(job, parts, progress)
    except EngineError:
        found = _one_by_one(partial(engine.verify, job), parts, _refused, progress)
    if len(found) > 1 and not any(verdict.whole for verdict in found):
        raise EngineError(f"no part of {len(found)} is whole; the first: {found[0].reason}")
    return found


def backup_all(
    engine: Engine, job: Job, tasks: Sequence[BackupTask], progress: Progress = silent, *, proven: bool = False
) -> list[BackupOutcome]:
    """`engine.backup`, likewise: an exam that kills its worker costs only itself, unless none of several comes through.

    `proven`: others did, in this very run; then it is these that are at fault if none comes through.
    """
    try:
        found = engine.backup(job, tasks, progress)
    except EngineError:
        found = _one_by_one(partial(engine.backup, job), tasks, _stayed, progress)
    fatal = [outcome for outcome in found if outcome.reason is not None and not outcome.source]
    if len(found) > 1 and len(fatal) == len(found) and not proven:
        raise EngineError(f"no exam of {len(found)} was backed up; the first: {fatal[0].reason}")
    return found


def derive_all(
    engine: Engine, job: Job, tasks: Sequence[DeriveTask], progress: Progress = silent
) -> list[DeriveOutcome]:
    """`engine.derive`, likewise; where nothing comes through either way, each has that for its reason: all can be made later."""
    try:
        return engine.derive(job, tasks, progress)
    except EngineError:
        with suppress(EngineError):
            return _one_by_one(partial(engine.derive, job), tasks, _underived, progress)
    return [_underived(task, EngineError("no worker came through")) for task in tasks]


def _one_by_one(
    run: Callable[[Sequence[A]], list[T]], items: Sequence[A], dead: Callable[[A, EngineError], T], progress: Progress
) -> list[T]:
    found, alive = list[T](), False
    for item in items:
        try:
            found.append(_alone(run, item))
            alive = True
        except EngineError as error:
            found.append(dead(item, error))
            if not alive and len(found) == _ENOUGH:
                raise
        progress(len(found), len(items), "one by one")
    return found


def _alone(run: Callable[[Sequence[A]], list[T]], item: A) -> T:
    """Twice if it must be: a machine may also fail by chance."""
    try:
        return run([item])[0]
    except EngineError:
        return run([item])[0]


def _stayed(task: BackupTask, error: EngineError) -> BackupOutcome:
    return BackupOutcome(task.study, task.check, reason=f"{KILLED}{error.what}")


def _underived(task: DeriveTask, error: EngineError) -> DeriveOutcome:
    return DeriveOutcome(task.study, task.check, reason=f"{KILLED}{error.what}")


def _refused(part: PartOutcome, error: EngineError) -> Verdict:
    return Verdict(part.attempt, None, f"engine: {error}")


def _killed(task: ExamTask, error: EngineError) -> ExamOutcome:
    return set_aside(task, error.what)
