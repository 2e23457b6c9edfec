"""Masks cleaned: parts, holes, what is thin and long, the margin. On a coarser grid each step only ever adds pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sdfo.region.values import Mask

GRID = 256
"""Points of the coarse grid along the image's longer side, at most twice as many."""

Labels = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Grid:
    """Squares of `step` × `step` pixels. `spacing`: mm from one to the next, down and across."""

    shape: tuple[int, int]
    step: int
    spacing: tuple[float, float]

    @classmethod
    def over(cls, shape: tuple[int, int], spacing: tuple[float, float]) -> Grid:
        step = max(1, max(shape) // GRID)
        return cls(shape, step, (spacing[0] * step, spacing[1] * step))

    def coarse(self, mask: Mask) -> Mask:
        """The squares that hold a pixel of the mask."""
        squares = np.zeros([-(-side // self.step) for side in self.shape], dtype=bool)
        for down, across in np.ndindex(self.step, self.step):
            pixels = mask[down :: self.step, across :: self.step]
            squares[: pixels.shape[0], : pixels.shape[1]] |= pixels
        return squares

    def fine(self, squares: Mask) -> Mask:
        """The pixels of these squares."""
        return squares.repeat(self.step, 0)[: self.shape[0]].repeat(self.step, 1)[:, : self.shape[1]]


def large_parts(mask: Mask, smallest: float) -> Mask:
    """The connected parts of at least `smallest` pixels."""
    labels, _ = ndimage.label(mask)
    keep = np.bincount(labels.ravel()) >= smallest
    keep[0] = False
    kept: Mask = keep[labels]
    return kept


def outside(mask: Mask) -> Labels:
    """What is not of the mask and reaches the image's edge, each part with its number; 0 elsewhere."""
    labels: Labels
    labels, count = ndimage.label(~mask)
    reaches = np.zeros(count + 1, dtype=bool)
    for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        reaches[edge] = True
    reaches[0] = False
    labels[~reaches[labels]] = 0
    return labels


def filled(mask: Mask) -> Mask:
    """With its holes: what is not reached from the image's edge."""
    whole: Mask = outside(mask) == 0
    return whole


def without_thin(mask: Mask, spacing: tuple[float, float], thickness: float, length: float) -> Mask:
    """Without the parts that are nowhere thicker than `thickness` mm and yet at least `length` mm long."""
    labels, _ = ndimage.label(mask)
    # a window of twice the mask reaches all of it: no header's spacing makes it larger
    size = tuple(int(min(2 * side, thickness / each)) + 1 for side, each in zip(mask.shape, spacing, strict=True))
    thick = np.unique(labels[ndimage.minimum_filter(mask, size, mode="nearest")])
    kept = mask.copy()
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        long = math.hypot(*((side.stop - side.start) * mm for side, mm in zip(box, spacing, strict=True)))
        if long >= length and number not in thick:
            kept[box] &= labels[box] != number
    return kept


def grown(mask: Mask, grid: Grid, margin: float) -> Mask:
    """With all squares that hold a point within `margin` mm of the mask."""
    if not margin or not mask.any():
        return mask
    reach = margin + math.hypot(*grid.spacing) * (grid.step - 1) / grid.step  # from centre to centre of two squares
    near: Mask = ndimage.distance_transform_edt(~mask, sampling=grid.spacing) <= reach
    return near
