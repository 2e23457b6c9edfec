"""Where the bench works: one temporary folder with a SAN, a store and exams, on the file system of the checkout."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sdfo import conf
from sdfo.errors import Exists
from sdfo.model import ExamOutcome, ExamTask, PartOutcome
from sdfo.nightly.job import Job
from sdfo.nightly.local import LocalEngine
from sdfo.stores.local import LocalStore
from sdfo.testing.demo import copy_exam
from sdfo.testing.exams import make_exam, real_exams, real_exams_root
from sdfo.tiers.san import San

_SETTINGS = """
san.root = "san"
catalog.url = "sqlite:///catalog.db"
nearline.root = "nearline"
tape.root = "tape"
"""


@dataclass(frozen=True, slots=True)
class Exam:
    """A folder of the SAN, as the archive sees it (`task`) and as anyone does (`paths`)."""

    task: ExamTask
    paths: tuple[Path, ...]


class Place:
    """`settings` is the file that other processes are given; `more` are lines in it."""

    def __init__(self, top: Path, more: str = 'hdfs.root = "hdfs"') -> None:
        self.top, self.settings = top, top / "bench.toml"
        if not self.settings.exists():
            self.settings.write_text(_SETTINGS + more + "\n")
        self.loaded = conf.load(self.settings)
        self.san = San(self.loaded.san.root)
        self.san_id = self.san.adopt()
        self.store = LocalStore(top / "hdfs")
        self._runs = 0

    def ct(self, slices: int, size: int = 512, seed: int = 1) -> Exam:
        """A generated CT, made when it is first asked for."""
        return self._made(f"ct-{size}-{slices}-{seed}", slices=slices, modality="CT", size=size, seed=seed)

    def large_heads(self, slices: int) -> Exam:
        """A generated MR with heads of 100 KB before 128 KB of pixels, as a Siemens scanner writes them."""
        return self._made(f"mr-{slices}", slices=slices, modality="MR", size=256, seed=1, head_bytes="siemens")

    def _made(self, name: str, **order: Any) -> Exam:
        folder = self.top / "san" / name
        if not folder.exists():
            make_exam(folder, **order)
        return self.known(name)

    def mr(self, slices: int) -> Exam:
        """The real Siemens MR where the environment has it, a generated one of `slices` otherwise."""
        root = real_exams_root()
        for exam in real_exams(root) if root else ():
            if exam.name == "mr-mprage":
                copy_exam(exam, self.top / "san")
                return self.known(exam.name)
        return self.large_heads(slices)

    def known(self, name: str) -> Exam:
        return known(self.san, name)

    def job(self) -> Job:
        """A run of its own: no attempt meets another's."""
        self._runs += 1
        return Job(self.loaded, f"run-{self._runs}", self.san_id)

    def converted(self, exam: Exam) -> PartOutcome:
        """The exam's S-DICOM file, as an attempt. Any other outcome would make the numbers worthless."""
        (outcome,) = LocalEngine(0).convert(self.job(), [exam.task])
        return only_part(outcome)

    def archived(self, exam: Exam) -> str:
        """The exam's S-DICOM file under its own name, for the rows that read it."""
        part = self.converted(exam)
        with suppress(Exists):
            self.store.rename(part.attempt, part.path)
        return part.path

    def target(self) -> Path:
        """A new file's name, for a reference to write to."""
        folder = self.top / "bare"
        folder.mkdir(exist_ok=True)
        self._runs += 1
        return folder / f"{self._runs}"

    def timed(self, work: Callable[[], object]) -> float:
        """Seconds of `work`, on a quiet disk: what earlier ones wrote is away, and its removal is written too."""
        self.tidy()
        began = time.perf_counter()
        work()
        return time.perf_counter() - began

    def tidy(self) -> None:
        for folder in ("bare", "hdfs/attempts"):
            shutil.rmtree(self.top / folder, ignore_errors=True)
        (self.top / "bare").mkdir()
        os.sync()


@contextmanager
def temporary(parent: Path) -> Iterator[Path]:
    """A folder below `parent`, which is gone afterwards."""
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=parent) as top:
        yield Path(top)


def known(san: San, name: str) -> Exam:
    """The exam of a folder on the SAN."""
    files = san.list(name.encode()).files
    paths = (Path(os.fsdecode(os.path.join(san.root, name.encode(), file.name))) for file in files)
    return Exam(ExamTask(1, name.encode(), files), tuple(paths))


def only_part(outcome: ExamOutcome) -> PartOutcome:
    if outcome.reason or len(outcome.parts) != 1:
        raise SystemExit(f"an exam of the bench was not converted: {outcome.reason}")
    return outcome.parts[0]
