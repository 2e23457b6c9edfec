"""Lossy second objects: what a worker is told, what it does beside one near-line copy, and what it says of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial

from sdfo.catalog import CopyRow
from sdfo.errors import FormatError, Missing, OnlyCopy, OutOfRange
from sdfo.lossy import Around, DerivedPart, LossyImage, Policy, References, derive_part, references_of
from sdfo.model import PartOutcome, Tier
from sdfo.nightly.job import Halt, Job, spared
from sdfo.sdicom import Part
from sdfo.stores import Store

THREADS = 2


@dataclass(frozen=True, slots=True)
class DeriveTask:
    """A part that has just got its copy on near-line. `copies`: its rows in the catalog, that one among them; `study_paths`:
    where the parts of its study lie on HDFS, whose objects may refer to its images."""

    study: str
    check: str
    path: str
    copies: tuple[CopyRow, ...]
    study_paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeriveOutcome:
    """`written`: the file of lossy objects, as an attempt; None where there is none, and what lies at `path` is out of date.

    `reason`: why nothing was done; `halt`: because of nothing that this exam is to blame for.
    """

    study: str
    check: str
    path: str = ""
    written: PartOutcome | None = None
    images: tuple[LossyImage, ...] = ()
    reason: str | None = None
    halt: Halt | None = None


def derive_exam(job: Job, task: DeriveTask, threads: int = THREADS) -> DeriveOutcome:
    """Write the lossy objects of one part, in a worker of an engine."""
    blank = DeriveOutcome(task.study, task.check)
    done = spared(partial(_derived, job, task, threads), lambda why: replace(blank, reason=why))
    return replace(blank, halt=done) if isinstance(done, Halt) else done


def _derived(job: Job, task: DeriveTask, threads: int) -> DeriveOutcome:
    settings, nearline = job.settings, job.mounted_nearline()
    hdfs = replace(job, tier=Tier.HDFS).store()
    around = Around(_references(hdfs, task.study_paths))
    policy, attempts = Policy(settings.lossy, settings.region), f"attempts/{job.run}"
    try:
        with Part.open(hdfs, task.path) as part:
            done = derive_part(part, nearline, attempts, policy, task.copies, around, threads)
    except (FormatError, Missing, OnlyCopy, OutOfRange) as error:
        return DeriveOutcome(task.study, task.check, reason=error.what)
    return DeriveOutcome(task.study, task.check, done.path, _written(task.study, done), done.images)


def _references(store: Store, paths: Iterable[str]) -> References:
    """A part that cannot be read may hold an object that refers to any image."""
    found = References()
    for path in paths:
        try:
            with Part.open(store, path) as part:
                found += references_of([part])
        except (FormatError, Missing, OutOfRange):
            found += References(unread=1)
    return found


def _written(study: str, done: DerivedPart) -> PartOutcome | None:
    if not done.attempt:
        return None
    return PartOutcome(study, done.attempt, done.path, done.check, done.size, done.count)
