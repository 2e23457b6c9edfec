"""The default: everything that is not air outside the patient.

What is brighter than the valley between air and tissue, in parts that are no specks; their holes (lung, bowel, marrow);
a margin. Padding is air. Every doubt ends with a larger region, at last with the whole image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sdfo.conf import Region as Plan
from sdfo.region import shapes
from sdfo.region.histogram import Histogram, Valley
from sdfo.region.shapes import Grid
from sdfo.region.values import Mask, Region, Shown

AIR_AND_TISSUE = (-650.0, -350.0)
"""HU between which the valley of a CT lies: emptier lung is darker, fat and skin are brighter."""
LUNG = -950.0
"""HU that most of a space must be brighter than, to be lung that the image's edge cuts and no air around the patient."""
NOISE, BRIGHT = 0.1, 0.99
"""The peak of the noise of an MR lies below this share of the value that all but 1 % of the pixels stay below; that of a
dark tissue above."""
TABLE = 60.0
"""mm that a part of the table or head holder is longer than, and what is seen of an ear is not."""
FIELD = 250.0
"""mm that an image without pixel spacing is taken to measure: a head. A body's pixels are larger, so the margin is too."""


@dataclass(frozen=True, slots=True, eq=False)
class Tissue:
    """`mask`: what is brighter than `threshold` (a real value), padding left out. `values`: the samples, turned where a
    negative slope makes larger ones darker."""

    mask: Mask
    padding: Mask | None
    values: NDArray[np.int32]
    threshold: float
    valley: Valley


def body(shown: Shown, plan: Plan) -> Region:
    found = tissue(shown, plan)
    if isinstance(found, str):
        return Region.everything(shown.shape, "body", found)
    grid = Grid.over(shown.shape, spacing(shown))
    squares = inside(shown, found, plan, grid)
    if not squares.any():
        return Region.everything(shown.shape, "body", "no part is large enough to be a body")
    squares = shapes.filled(shapes.grown(squares, grid, plan.margin_mm))
    reason = f"valley between air and tissue, {found.valley.depth:.0%} of the lower peak"
    return Region.of(grid.fine(squares), "body", reason, found.threshold)


def tissue(shown: Shown, plan: Plan) -> Tissue | str:
    """What is brighter than air, or why that cannot be told."""
    values = shown.samples.astype(np.int32, copy=False) * (-1 if shown.slope < 0 else 1)
    padding = _padding(shown)
    seen = values if padding is None else values[~padding]
    if seen.size == 0:
        return "nothing but padding"
    if int(seen.max()) - int(seen.min()) >> 17:
        return "samples of more than 17 bits"
    histogram = Histogram.of(seen)
    valley = histogram.valley(plan.valley, *_where(shown))
    if doubt := _doubt(shown, plan, histogram, valley):
        return doubt
    at = valley.at if shown.modality == "CT" else valley.foot
    mask = values > math.floor(at)
    if padding is not None:
        mask &= ~padding
    return Tissue(mask, padding, values, shown.real(-at if shown.slope < 0 else at), valley)


def inside(shown: Shown, found: Tissue, plan: Plan, grid: Grid) -> Mask:
    """The squares of the body without margin."""
    parts = shapes.large_parts(found.mask, plan.smallest * found.mask.size)
    squares = shapes.filled(grid.coarse(parts))
    if shown.modality == "CT":
        squares = shapes.without_thin(squares, grid.spacing, plan.table_mm, TABLE)
        squares |= _cut_lung(shown, found, squares, grid)
    return squares


def spacing(shown: Shown) -> tuple[float, float]:
    """mm from pixel to pixel, down and across."""
    return shown.spacing or (FIELD / max(shown.shape),) * 2


def _where(shown: Shown) -> tuple[float, float]:
    """Turned stored values between which the valley is looked for."""
    if shown.modality != "CT":
        return -np.inf, np.inf
    ends = sorted((-1 if shown.slope < 0 else 1) * shown.stored(hu) for hu in AIR_AND_TISSUE)
    return ends[0], ends[1]


def _doubt(shown: Shown, plan: Plan, histogram: Histogram, valley: Valley) -> str | None:
    """Why the valley is none between air and tissue."""
    if valley.depth > plan.valley:
        return f"no double peak: the valley holds {valley.depth:.0%} of the lower peak"
    if shown.modality != "CT" and shown.real(abs(valley.peak)) > NOISE * shown.real(abs(histogram.quantile(BRIGHT))):
        return "no air: the lower peak is too bright for noise"
    return None


def _padding(shown: Shown) -> Mask | None:
    if shown.padding is None:
        return None
    low, high = shown.padding
    mask: Mask = shown.samples == low if low == high else (shown.samples >= low) & (shown.samples <= high)
    return mask if mask.any() else None


def _cut_lung(shown: Shown, found: Tissue, squares: Mask, grid: Grid) -> Mask:
    """The spaces that reach the image's edge, or its padding, and are no air."""
    at = np.s_[:: grid.step, :: grid.step]
    space = ~squares if found.padding is None else ~squares & ~found.padding[at]
    labels, count = ndimage.label(space)
    lung = shown.slope * shown.samples[at] + shown.intercept > LUNG
    sizes, bright = np.bincount(labels.ravel(), minlength=count + 1), np.bincount(labels[lung], minlength=count + 1)
    is_lung = bright > sizes / 2
    is_lung[0] = False
    cut: Mask = is_lung[labels]
    return cut
