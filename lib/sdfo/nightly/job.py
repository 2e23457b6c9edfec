"""What a worker of any engine is told, and the two things it does: convert an exam, verify a part."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import Self

from sdfo import conf, converter
from sdfo.ahead import ahead
from sdfo.conf import Settings
from sdfo.converter import Desk
from sdfo.errors import Missing, SdfoError
from sdfo.model import Description, ExamOutcome, ExamTask, FileStamp, PartOutcome
from sdfo.sdicom import Part
from sdfo.stores import Store, open_store
from sdfo.tiers.san import San


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
    """Settings without secrets, the run's name, and the id of the SAN that is meant. Travels to workers as JSON."""

    settings: Settings
    run: str
    san: str

    def to_json(self) -> str:
        return json.dumps({"settings": self.settings.public(), "run": self.run, "san": self.san})

    @classmethod
    def from_json(cls, text: str) -> Self:
        data = json.loads(text)
        return cls(conf.from_public(json.dumps(data["settings"])), data["run"], data["san"])

    def store(self) -> Store:
        return open_store(self.settings.hdfs.root)

    def mounted(self) -> San:
        """The SAN, once it has shown its id: every task refuses an empty mount point."""
        san = San(self.settings.san.root, self.settings.san.exam_depth)
        san.require(self.san)
        return san

    def desk(self, threads: int = 1) -> Desk:
        limit = self.settings.hdfs.max_record_mib * conf.MIB
        return Desk(self.mounted(), self.store(), self.settings.site, f"attempts/{self.run}", limit, threads)


def describe_file(job: Job, folder: bytes, stamp: FileStamp) -> Description | converter.Problem:
    """Map, for one file."""
    return converter.describe(job.mounted(), folder, stamp)


def convert_exam(job: Job, task: ExamTask, threads: int = 1) -> ExamOutcome:
    """Map and Reduce, for one exam folder, in this process."""
    desk = job.desk(threads)
    with ahead(partial(converter.describe, desk.san, task.folder), task.files, threads) as described:
        return converter.merge(task, described, desk)


def verify_part(job: Job, part: PartOutcome, threads: int = 1) -> Verdict:
    """Re-open a part by name and re-hash every record; it may have been published by an earlier try."""
    store = job.store()
    try:
        at = _lies_at(store, part)
        with Part.open(store, at) as opened:
            if opened.check_digest != part.check:
                return Verdict(part.attempt, at, "another file lies at this name")
            opened.check(deep=True, threads=threads)
        return Verdict(part.attempt, at)
    except SdfoError as error:
        return Verdict(part.attempt, None, str(error))


def _lies_at(store: Store, part: PartOutcome) -> str:
    for path in (part.attempt, part.path):
        try:
            return store.stat(path).path
        except Missing:
            continue
    raise Missing("neither the attempt nor the part is there", path=part.attempt)
