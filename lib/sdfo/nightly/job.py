"""What a worker of any engine is told, and the two things it does: convert an exam, verify a part."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

from sdfo import conf, converter, errors
from sdfo.ahead import ahead
from sdfo.conf import Settings
from sdfo.converter import Desk, Problem
from sdfo.errors import FormatError, Missing, OutOfRange, SdfoError
from sdfo.model import Description, ExamOutcome, ExamTask, Fate, FileOutcome, FileStamp, PartOutcome, Tier
from sdfo.sdicom import Part, check_aparts
from sdfo.stores import Store, open_store
from sdfo.tiers import nearline
from sdfo.tiers.san import San

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a second process found at an attempt. `at` is where the part lay: its attempt, or its final name already."""

    attempt: str
    at: str | None
    reason: str | None = None

    @property
    def whole(self) -> bool:
        return self.reason is None


@dataclass(frozen=True, slots=True)
class Job:
    """Settings without secrets, the run's name, and the ids of the SAN and, for a backup, of the near-line store that are
    meant. Travels to workers as JSON.

    `tier`: where parts lie that are to be verified. `until`: seconds since the epoch by which the last exam of a backup
    must have ended, and `per_second` its bytes that a worker is known to manage.
    """

    settings: Settings
    run: str
    san: str
    nearline: str = ""
    tier: Tier = Tier.HDFS
    until: float | None = None
    per_second: float | None = None

    def to_json(self) -> str:
        told = {name: getattr(self, name) for name in ("run", "san", "nearline", "tier", "until", "per_second")}
        return json.dumps({"settings": self.settings.of_a_worker(), **told})

    @classmethod
    def from_json(cls, text: str) -> Self:
        data = json.loads(text)
        settings = conf.from_public(json.dumps(data.pop("settings")))
        return cls(settings, **data | {"tier": Tier(data["tier"])})

    def store(self) -> Store:
        if self.tier is Tier.NEARLINE:
            return self.mounted_nearline()
        return open_store(self.settings.hdfs.root, self.settings.hdfs)

    def mounted_nearline(self) -> Store:
        """The near-line store, once it has shown its id."""
        return nearline.require(open_store(self.settings.nearline.root, self.settings.hdfs), self.nearline)

    def mounted(self) -> San:
        """The SAN, once it has shown its id: every task refuses an empty mount point."""
        san = San(self.settings.san.root, self.settings.san.exam_depth)
        san.require(self.san)
        return san

    def desk(self, threads: int = 1) -> Desk:
        limit = self.settings.hdfs.max_record_mib * conf.MIB
        return Desk(self.mounted(), self.store(), self.settings.site, f"attempts/{self.run}", limit, threads)


@dataclass(frozen=True, slots=True)
class Halt:
    """An error that no exam is to blame for: the SAN is gone, the store does not answer. It ends the step.

    It travels as a value, because an engine takes what a worker raises for the death of the worker.
    """

    kind: str
    what: str
    next_command: str | None

    @classmethod
    def of(cls, error: SdfoError) -> Self:
        return cls(type(error).__name__, error.what, error.next_command)

    def error(self) -> SdfoError:
        kind: type[SdfoError] = getattr(errors, self.kind)
        return kind(self.what, next_command=self.next_command)


def describer(job: Job) -> Callable[[bytes, FileStamp], Description | Problem | Halt]:
    """Map, for one file (exam folder, stamp), in a worker of an engine."""
    try:
        san = job.mounted()
    except SdfoError as error:
        halt = Halt.of(error)
        return lambda folder, stamp: halt
    return lambda folder, stamp: spared(
        partial(converter.describe, san, folder, stamp), partial(Problem, stamp, Fate.UNREADABLE)
    )


def merge_exam(
    job: Job, task: ExamTask, described: Iterable[Description | Problem | Halt], threads: int = 1
) -> ExamOutcome | Halt:
    """Reduce, for one exam folder, in a worker of an engine."""
    return spared(lambda: converter.merge(task, _going_on(described), job.desk(threads)), partial(set_aside, task))


def convert_exam(job: Job, task: ExamTask, threads: int = 1) -> ExamOutcome | Halt:
    """Map and Reduce, for one exam folder, in this process."""
    with ahead(partial(describer(job), task.folder), task.files, threads) as described:
        return merge_exam(job, task, described, threads)


def check_part(job: Job, part: PartOutcome, threads: int = 1) -> Verdict | Halt:
    """`verify_part` in a worker of an engine."""
    return spared(partial(verify_part, job, part, threads), partial(Verdict, part.attempt, None))


def spared(work: Callable[[], T], stumbled: Callable[[str], T]) -> T | Halt:
    """What `work` returns, or the error that ends the step.

    What is no error of SAN or store happened over these files alone: `stumbled` makes of it what they become, and the
    others are spared. Only the place is told, for the error's text may quote a name.
    """
    try:
        return work()
    except Exception as error:  # noqa: BLE001 the outer edge of a worker
        if isinstance(error, SdfoError) and not isinstance(error, FormatError):
            return Halt.of(error)
        at = traceback.extract_tb(error.__traceback__)[-1]
        return stumbled(f"{type(error).__name__} at {Path(at.filename).name}:{at.lineno}")


def set_aside(task: ExamTask, why: str) -> ExamOutcome:
    """An exam that waits for a person, with all its files."""
    files = tuple(FileOutcome(stamp, n, Fate.SET_ASIDE, reason=f"engine: {why}") for n, stamp in enumerate(task.files))
    return ExamOutcome(task.folder_id, task.folder, files, reason=f"engine: {why}")


def answers(found: Iterable[T | Halt]) -> list[T]:
    """What workers answered; the error of the first that had to halt."""
    return list(_going_on(found))


def _going_on(found: Iterable[T | Halt]) -> Iterator[T]:
    for each in found:
        if isinstance(each, Halt):
            raise each.error()
        yield each


def verify_part(job: Job, part: PartOutcome, threads: int = 1) -> Verdict:
    """Re-open a part by name and re-hash every record; it may have been published by an earlier try.

    What is wrong with the part is the verdict; what is wrong with the store is raised.
    """
    store = job.store()
    try:
        at = lies_at(store, part)
        if job.tier is Tier.NEARLINE:
            _forget(store, at, part)
        with Part.open(store, at) as opened:
            if opened.check_digest != part.check:
                return Verdict(part.attempt, at, "another file lies at this name")
            absent = opened.check(deep=True, threads=threads).absent
            moved = [apart for apart in opened.aparts if apart.path in absent]  # by a publish that died then
        if check_aparts(store, part.path, moved).absent:
            return Verdict(part.attempt, at, "a file that belongs beside it is not there")
        return Verdict(part.attempt, at)
    except (FormatError, Missing, OutOfRange) as error:
        return Verdict(part.attempt, None, str(error))


def _forget(store: Store, at: str, part: PartOutcome) -> None:
    """Else what comes back may be what this machine remembers to have written, and not what lies on the NAS."""
    for path in (at, *(path for moves in part.apart for path in moves)):
        with suppress(Missing), store.open(path) as source:
            source.forget()


def lies_at(store: Store, part: PartOutcome) -> str:
    """Where a part is: its attempt, or where an earlier try published it. `Missing` if nowhere."""
    for path in (part.attempt, part.path):
        try:
            return store.stat(path).path
        except Missing:
            continue
    raise Missing("neither the attempt nor the part is there", path=part.attempt)
