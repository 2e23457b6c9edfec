"""Images to compress: of the real exams where the environment has them, of generated ones elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pydicom

from bench.place import Exam, Place
from bench.sizes import Sizes
from sdfo.jpeg2000 import Image, Mask
from sdfo.region import Shown, find
from sdfo.testing.demo import copy_exam
from sdfo.testing.exams import real_exams, real_exams_root

CIRCLE = 20.0
"""mm across: a small region, as somebody would draw it by hand."""


@dataclass(frozen=True, slots=True, eq=False)
class Slice:
    """`body`: the region as the archive finds it. `circle`: 20 mm in the middle of it."""

    image: Image
    body: Mask
    circle: Mask

    @property
    def raw(self) -> int:
        return self.image.samples.nbytes


def exams(place: Place, sizes: Sizes) -> dict[str, Exam]:
    """By name. Copied to the bench's SAN."""
    root = real_exams_root()
    if root is None or sizes.exam < 100:
        return {"CT": place.ct(sizes.exam, 128), "MR": place.large_heads(sizes.exam)}
    for exam in real_exams(root):
        copy_exam(exam, place.top / "san")
    return {exam.name: place.known(exam.name) for exam in real_exams(root)}


def slices(exam: Exam, most: int) -> list[Slice]:
    """Of images that lie evenly over the exam, at most so many; none whose region is all of it.

    Where that is so of each, as of generated ones, half of their width counts for the body.
    """
    found = [each for path in exam.paths for each in _slice(path)]
    parts = [each for each in found if not each.body.all()] or [_halved(each) for each in found]
    return parts[:: max(1, len(parts) // most)][:most]


def _slice(path: Path) -> Iterator[Slice]:
    ds = pydicom.dcmread(path, force=True)
    if "PixelData" not in ds or ds.SamplesPerPixel != 1 or int(ds.get("NumberOfFrames") or 1) != 1:
        return
    samples = ds.pixel_array
    body = find(Shown.of(ds, samples)).mask
    spacing = [float(each) for each in ds.get("PixelSpacing", (1, 1))]
    image = Image(samples, ds.BitsStored, ds.PixelRepresentation == 1)
    yield Slice(image, body, _disc(body, spacing, CIRCLE / 2))


def _halved(each: Slice) -> Slice:
    return replace(each, body=_disc(each.body, [1, 1], each.body.shape[1] / 4))


def _disc(within: Mask, spacing: Sequence[float], radius: float) -> Mask:
    """In the middle of the box that a mask fills."""
    down, across = (np.flatnonzero(within.any(axis)) for axis in (1, 0))
    middle = (down[0] + down[-1]) / 2, (across[0] + across[-1]) / 2
    rows, columns = np.ogrid[: within.shape[0], : within.shape[1]]
    far = ((rows - middle[0]) * spacing[0]) ** 2 + ((columns - middle[1]) * spacing[1]) ** 2
    disc: Mask = far <= radius**2
    return disc
