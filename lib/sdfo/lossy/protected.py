"""The protected region of a lossy object: what `sdfo.region` finds, and the padding with its rim."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pydicom import Dataset
from scipy import ndimage

from sdfo import conf, region
from sdfo.jpeg2000 import Image, Mask
from sdfo.region import Region, Shown

Find = Callable[[Shown, conf.Region], Region]

RIM = 4
"""Pixels around the padding that are exact too: at its step the wavelet would smear the most."""


@dataclass(frozen=True, slots=True, eq=False)
class Protected:
    """`mask`: what must be exact. `padding`: the pixels that are no image, all of them within. `bounds`: their stored values."""

    mask: Mask
    method: str
    reason: str
    padding: Mask | None
    bounds: tuple[int, int] | None

    @property
    def whole(self) -> bool:
        return bool(self.mask.all())

    @property
    def area(self) -> float:
        return float(self.mask.mean())


def protected(ds: Dataset, image: Image, frame: int, plan: conf.Region, find: Find = region.find) -> Protected:
    """Of frame `frame`, from 0, of the object `ds`."""
    shown = Shown.of(ds, image.samples, frame)
    found = find(shown, plan)
    if shown.padding is None or image.samples.ndim != 2:
        return Protected(found.mask, found.method, found.reason, None, None)
    low, high = shown.padding
    padding = (image.samples >= low) & (image.samples <= high)
    rim = ndimage.binary_dilation(padding, iterations=RIM) if padding.any() else padding
    return Protected(found.mask | rim, found.method, found.reason, padding, shown.padding)
