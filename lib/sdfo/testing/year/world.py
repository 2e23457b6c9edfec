"""The SAN, as a hospital writes to it: new exams each day, late images, files that are corrected after they were archived."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from sdfo.testing.exams import Series
from sdfo.testing.year.plan import Plan
from sdfo.testing.year.truth import Image, OnSan, Truth, digest

START = datetime(2031, 1, 1, 18, tzinfo=UTC)
"""Of the simulated year: ahead of the clock by which files get their real times."""
_LATE_DAYS = (0, 1, 2, 3, 10, 40, 80, 120, 200)


@dataclass
class Exam:
    folder: str
    series: Series
    images: int
    arrived: float


@dataclass
class World:
    """Arrivals, by lot. Whatever is written is told to the truth."""

    plan: Plan
    truth: Truth
    lot: random.Random
    exams: list[Exam] = field(default_factory=list)
    late: int = 0
    corrected: int = 0

    def day(self, now: float) -> None:
        """What comes on one day."""
        for _ in range(self._many(self.plan.exams)):
            self._new(now)
        for _ in range(self._many(self.plan.late)):
            self._late(now)
        if self.lot.random() < self.plan.changed:
            self._correct(now)

    def _many(self, mean: float) -> int:
        return int(mean) + (self.lot.random() < mean % 1) + self.lot.choice((-1, 0, 0, 1)) * (mean > 1)

    def _new(self, now: float) -> None:
        number = len(self.exams)
        modality: Literal["CT", "MR"] = self.lot.choice(("CT", "CT", "MR"))
        day = datetime.fromtimestamp(now, UTC) - timedelta(days=self.lot.choice((0, 0, 0, 0, 1, 300, -30)))
        series = Series(modality, number, 16, date=f"{day:%Y%m%d}")
        self.exams.append(Exam(f"exam{number:04}", series, 0, now))
        self._write(self.exams[-1], self.lot.randint(1, 3), now)

    def _late(self, now: float) -> None:
        """To an exam of any age, whether its files are on the SAN still or not."""
        age = self.lot.choice(_LATE_DAYS) * self.plan.san_days / 90 * 86400
        if self.exams:
            exam = min(self.exams, key=lambda each: abs(each.arrived - (now - age)))
            self._write(exam, 1, now)
            self.late += 1

    def _write(self, exam: Exam, count: int, now: float) -> None:
        first = exam.images + 1
        for number, data in enumerate(exam.series.images(count, first), first):
            path = f"{exam.folder}/I{number:05}.dcm"
            series = exam.series
            image = Image(series.sop_uid(number), series.study_uid, series.modality, data, digest(data), now, now)
            self.put(OnSan(path, image))
        exam.images += count

    def _correct(self, now: float) -> None:
        """Somebody mends the head of an image that was archived."""
        there = [f for f in self.truth.san.values() if f.image.acknowledged is not None and f.aside is None]
        if there:
            self.put(self.another(self.lot.choice(there), now))

    def another(self, file: OnSan, now: float) -> OnSan:
        """The same image in another file."""
        old = file.image
        data = b"SDFO%06d" % self.corrected + old.data[10:]  # the first 128 bytes mean nothing (PS3.10 section 7.1)
        self.corrected += 1
        image = Image(old.sop, old.study, old.modality, data, digest(data), now, old.first, corrected=True)
        return OnSan(file.path, image)

    def put(self, file: OnSan) -> None:
        """Write it, with its time, and take note of it."""
        at = self.truth.folder / "san" / file.path
        write(at, file.image.data, file.image.arrived)
        self.truth.images[file.image.sha256] = file.image
        self.truth.san[file.path] = file


def write(at: Path, data: bytes, when: float) -> None:
    at.parent.mkdir(exist_ok=True)
    at.write_bytes(data)
    os.utime(at, (when, when))
