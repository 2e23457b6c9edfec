"""Drawn cross-sections with what a scanner adds, and which of their pixels are the body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sdfo.region import Mask, Shown

AIR, LUNG, FAT, TISSUE, BONE = -1000.0, -850.0, -100.0, 40.0, 700.0
PADDING = -2000
CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
"""SOP Classes."""


@dataclass(frozen=True, slots=True, eq=False)
class Phantom:
    shown: Shown
    body: Mask
    """With what it encloses."""


@dataclass(frozen=True, slots=True)
class Trunk:
    """A cross-section of `size` × `size` pixels of `mm`. Half axes and centre as shares of the field of view."""

    size: int = 256
    mm: float = 1.4
    half: tuple[float, float] = (0.25, 0.35)
    centre: tuple[float, float] = (0.45, 0.5)
    noise: float = 15.0
    """Standard deviation: HU of a CT; of an MR in steps, where soft tissue has 300."""
    seed: int = 1
    table: bool = False
    circle: bool = False
    """Padding outside the circle of reconstruction."""

    def ellipse(self, half: tuple[float, float], centre: tuple[float, float]) -> Mask:
        y, x = (np.mgrid[: self.size, : self.size] + 0.5) / self.size
        inside: Mask = ((y - centre[0]) / half[0]) ** 2 + ((x - centre[1]) / half[1]) ** 2 <= 1
        return inside

    def part(self, scale: float, across: float = 0.0, narrow: float = 1.0) -> Mask:
        """An ellipse within the body's, moved across by a share of its half axis."""
        half = (self.half[0] * scale, self.half[1] * scale * narrow)
        return self.ellipse(half, (self.centre[0], self.centre[1] + across * self.half[1]))

    @property
    def body(self) -> Mask:
        return self.part(1.0)

    def ct(self, slope: float = 1.0, intercept: float = -1024.0, **more: Any) -> Phantom:
        """Fat around tissue, two lungs, a spine; in Hounsfield units by slope and intercept."""
        hu = np.full((self.size, self.size), AIR)
        hu[self.body] = FAT
        for scale, across, narrow, value in (
            (0.92, 0.0, 1.0, TISSUE),
            (0.6, -0.4, 0.5, LUNG),
            (0.6, 0.4, 0.5, LUNG),
            (0.15, 0.0, 1.0, BONE),
        ):
            hu[self.part(scale, across, narrow)] = value
        if self.table:
            hu[self._table()] = 100.0
        hu = hu + np.random.default_rng(self.seed).normal(0, self.noise, hu.shape)
        stored = np.clip((hu - intercept) / slope, -32768, 32767).round().astype(np.int16)
        padding = round((PADDING - intercept) / slope)
        if self.circle:
            stored[~self.ellipse((0.5, 0.5), (0.5, 0.5))] = padding
        header: dict[str, Any] = {
            "modality": "CT",
            "sop_class": CT,
            "slope": slope,
            "intercept": intercept,
            "unit": "HU",
        }
        header |= {"spacing": (self.mm, self.mm), "padding": (padding, padding) if self.circle else None}
        return Phantom(Shown(stored, **header | more), self.body)

    def mr(self, **more: Any) -> Phantom:
        """Bright fat around tissue with dark fluid in it; the magnitude of a signal with noise in both channels (Rician)."""
        signal = np.zeros((self.size, self.size))
        for scale, value in ((1.0, 700.0), (0.9, 300.0), (0.3, 120.0)):
            signal[self.part(scale)] = value
        real, imaginary = np.random.default_rng(self.seed).normal(0, self.noise, (2, *signal.shape))
        stored = np.hypot(signal + real, imaginary).round().astype(np.uint16)
        header: dict[str, Any] = {"modality": "MR", "sop_class": MR, "rescaled": False, "spacing": (self.mm, self.mm)}
        return Phantom(Shown(stored, **header | more), self.body)

    def _table(self) -> Mask:
        """A thin curved shell below the body, clear of it."""
        bottom = self.centre[0] + self.half[0] + 0.06
        outer = self.ellipse((0.12, 0.45), (bottom - 0.06, 0.5))
        inner = self.ellipse((0.12 - 2.5 / self.size, 0.45), (bottom - 0.06, 0.5))
        y = (np.arange(self.size)[:, None] + 0.5) / self.size
        return outer & ~inner & (y > bottom) & ~self.body


def stored(shown: Shown, hu: NDArray[Any]) -> NDArray[np.int16]:
    """Hounsfield units as the samples of `shown` have them."""
    return ((hu - shown.intercept) / shown.slope).round().astype(np.int16)
