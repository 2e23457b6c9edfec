"""How often each value occurs, and whether there is a valley between two peaks of that."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

BINS = 512
"""At most, between the darkest and the brightest pixels."""
_PIXELS_A_BIN = 40  # with fewer, chance makes valleys
_TAIL = 0.005  # of the pixels, left out at either end when the bins are laid
_SMOOTH = 2.0  # bins, standard deviation
CLASS = 0.01
"""Share of the pixels that either side of a valley holds at least: less is a tail, not a peak."""
_FOOT = 0.02
"""Share of a peak's height at which it has run out: that of noise (Rayleigh) 3.6 times its mode from zero."""


@dataclass(frozen=True, slots=True)
class Valley:
    """`at`: the value where it is deepest. `depth`: the count there, as a share of the lower of the two peaks; 0 is a
    clean cut, 1 no valley. `peak`: the value of the peak below it. `foot`: where that peak has run out, at most `at`."""

    at: float
    depth: float
    peak: float
    foot: float


@dataclass(frozen=True, eq=False)
class Histogram:
    """`counts[i]` pixels have the value `first + i`."""

    first: int
    counts: NDArray[np.intp]

    @classmethod
    def of(cls, values: NDArray[np.integer[Any]]) -> Histogram:
        """`values`: integers of at most 17 bits apart, at least one."""
        first = int(values.min())
        return cls(first, np.bincount((values.astype(np.int32) - first).ravel()))

    @cached_property
    def _below(self) -> NDArray[np.intp]:
        return np.cumsum(self.counts)

    @property
    def pixels(self) -> int:
        return int(self._below[-1])

    def quantile(self, share: float) -> int:
        """The smallest value with at least `share` of the pixels at or below it."""
        return self.first + int(np.searchsorted(self._below, share * self.pixels))

    @cached_property
    def smooth(self) -> tuple[NDArray[np.floating[Any]], NDArray[np.float64]]:
        """The values at the middle of wider bins, and the smoothed counts of those."""
        low, high = self.quantile(_TAIL), self.quantile(1 - _TAIL)
        most = max(1, min(BINS, self.pixels // _PIXELS_A_BIN))
        width = -(-(high - low + 1) // most)
        starts = np.arange(low, high + 1, width) - self.first
        ends = np.append(starts[1:], min(starts[-1] + width, len(self.counts)))
        summed = np.concatenate(([0], self._below))
        counts = (summed[ends] - summed[starts]).astype(np.float64)
        values: NDArray[np.floating[Any]] = starts + self.first + (width - 1) / 2
        return values, ndimage.gaussian_filter1d(counts, _SMOOTH, mode="constant")

    def valley(self, deep: float, low: float = -np.inf, high: float = np.inf) -> Valley:
        """The lowest one between the values `low` and `high` whose depth is at most `deep`, else the deepest there is."""
        values, counts = self.smooth
        left, right = np.maximum.accumulate(counts), np.maximum.accumulate(counts[::-1])[::-1]
        low, high = max(low, self.quantile(CLASS)), min(high, self.quantile(1 - CLASS))
        depths = np.ones(len(values))
        among = (values > low) & (values < high)
        depths[among] = (counts / np.minimum(left, right))[among]
        found = np.flatnonzero(depths <= max(deep, depths.min()))
        run = _first_run(found)
        deepest = run[depths[run] == depths[run].min()]  # the middle one, where several are as deep
        at = int(deepest[len(deepest) // 2])
        return self._described(at, float(depths[at]))

    def _described(self, at: int, depth: float) -> Valley:
        values, counts = self.smooth
        peak = int(np.argmax(counts[: at + 1]))
        out = np.flatnonzero(counts[peak : at + 1] <= _FOOT * counts[peak])
        foot = peak + int(out[0]) if out.size else at
        return Valley(float(values[at]), depth, float(values[peak]), float(values[foot]))


def _first_run(found: NDArray[np.intp]) -> NDArray[np.intp]:
    """The first of them that follow each other."""
    gaps = np.flatnonzero(np.diff(found) > 1)
    return found[: gaps[0] + 1] if gaps.size else found
