"""Exams for tests, bench and the demonstration: real ones where they lie, and generated ones of any size."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date as day
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Literal

from sdfo.testing.heads import ROOT, Head, Order, sop_uid
from sdfo.testing.pixels import Modality, Planes
from sdfo.testing.shipped import shipped

REAL_EXAMS = "SDFO_REAL_EXAMS"
"""Environment variable: a folder with the exam folders of `_KNOWN`. They are read where they lie, never copied into the project."""

_KNOWN = {
    "ct-ge": ("github neurolabusc/dcm_qa_ct d03e30e", "BSD-2-Clause"),
    "ct-philips-phantom": ("github neurolabusc/dcm_qa_ct d03e30e", "BSD-2-Clause"),
    "mr-mprage": ("github FNNDSC/SAG-anon 3d6e850", "MIT"),
}
_PYDICOM = ("77654033", "98892001", "98892003")  # patients' folders: CR and CT, CT, MR; real, made 16 × 16 pixels small


@dataclass(frozen=True, slots=True)
class RealExam:
    """An exam folder, where it came from, and under what licence."""

    folder: Path
    source: str
    licence: str

    @property
    def name(self) -> str:
        return self.folder.name

    def files(self) -> Iterator[Path]:
        """Every file below the folder, in order."""
        return (p for p in sorted(self.folder.rglob("*")) if p.is_file())


def real_exams_root() -> Path | None:
    """The folder that the environment names, if it is there."""
    root = os.environ.get(REAL_EXAMS)
    return Path(root) if root and Path(root).is_dir() else None


def real_exams(root: Path) -> tuple[RealExam, ...]:
    """The full-size exams below `root`."""
    return tuple(RealExam(root / name, *origin) for name, origin in _KNOWN.items() if (root / name).is_dir())


def pydicom_exams() -> tuple[RealExam, ...]:
    """The small real exams that ship in pydicom's wheel: 31 images of four modalities and six studies, 98 KB."""
    return tuple(RealExam(shipped("dicomdirtests", name), "pydicom's test files", "MIT (pydicom)") for name in _PYDICOM)


def study_uid(seed: int) -> str:
    """The Study Instance UID of the exam that `make_exam` makes from `seed`."""
    return f"{ROOT}.{_number(b'study', seed)}"


@dataclass(frozen=True, slots=True)
class Series:
    """A series of generated images of `size` × `size` × 16 bits; equal values make equal bytes.

    `seed` chooses study, pixels and date, unless `study` or `date` (YYYYMMDD) override them. Another `number` is another
    series of the same study. Heads are 2 KB, as of a CT, or 100 KB, as of a Siemens MR.
    """

    modality: Modality
    seed: int
    size: int = 512
    study: str | None = None
    date: str | None = None
    number: int = 1
    head_bytes: Literal["small", "siemens"] = "small"

    @property
    def study_uid(self) -> str:
        return self.study or study_uid(self.seed)

    @property
    def stem(self) -> str:
        """What every UID of this series begins with."""
        return f"{ROOT}.{_number(self.study_uid.encode(), self.seed)}.{100 + self.number}"

    def sop_uid(self, number: int) -> str:
        """The SOP Instance UID of image `number`."""
        return sop_uid(self.stem, number)

    def images(self, count: int, first: int = 1) -> Iterator[bytes]:
        """The files of the images `first`, `first` + 1, …"""
        head, planes = Head(self._order()), Planes(self.modality, self.size, self.seed * 1000 + self.number)
        for number in range(first, first + count):
            yield head.filled(number) + planes.plane(number)

    def _order(self) -> Order:
        return Order(
            modality=self.modality,
            size=self.size,
            study=self.study_uid,
            date=self.date or f"{day(2021, 1, 1) + timedelta(days=self.seed * 37 % 1200):%Y%m%d}",
            series=self.number,
            stem=self.stem,
            patient=f"{_number(self.study_uid.encode()) % 1_000_000:06}",
            siemens=self.head_bytes == "siemens",
        )


def make_exam(
    folder: Path,
    *,
    slices: int,
    modality: Modality,
    seed: int,
    study: str | None = None,
    size: int = 512,
    head_bytes: Literal["small", "siemens"] = "small",
    date: str | None = None,
    series: int = 1,
    first: int = 1,
) -> list[Path]:
    """Write one `Series` into `folder`; the files, in order.

    `first` is the number of the first image: late images of an exam come from the same call with a `first` beyond the
    earlier ones.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = Series(modality, seed, size, study, date, series, head_bytes)
    paths = [folder / f"S{series:03}-I{number:05}.dcm" for number in range(first, first + slices)]
    for path, image in zip(paths, made.images(slices, first), strict=True):
        with open(path, "wb", buffering=0) as file:
            file.write(image)
    return paths


def _number(*parts: bytes | int) -> int:
    """Ten digits that depend on `parts`, the first of them no zero."""
    digest = sha256(repr(parts).encode()).digest()
    return 1_000_000_000 + int.from_bytes(digest[:8], "big") % 9_000_000_000
