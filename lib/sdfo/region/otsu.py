"""The double peak of the paper: the bright class by Otsu's threshold, within the body.

It cuts fat, lung and bowel off: for previews and lossy copies by somebody's explicit wish, never by default.
"""

from __future__ import annotations

from skimage.filters import threshold_otsu

from sdfo.conf import Region as Plan
from sdfo.region import shapes
from sdfo.region.body import Tissue, inside, spacing, tissue
from sdfo.region.histogram import Histogram
from sdfo.region.shapes import Grid
from sdfo.region.values import Mask, Region, Shown


def otsu(shown: Shown, plan: Plan) -> Region:
    found = tissue(shown, plan)
    if isinstance(found, str):
        return Region.everything(shown.shape, "otsu", found)
    grid = Grid.over(shown.shape, spacing(shown))
    within = grid.fine(inside(shown, found, plan, grid)) & found.mask
    at = _threshold(found, within) if within.any() else 0.0
    parts = shapes.large_parts(within & (found.values > at), plan.smallest * within.size)
    if not parts.any():
        return Region.everything(shown.shape, "otsu", "no part is large enough to be a body")
    squares = shapes.filled(shapes.grown(shapes.filled(grid.coarse(parts)), grid, plan.margin_mm))
    reason = f"bright class inside the body; valley to air {found.valley.depth:.0%} of the lower peak"
    return Region.of(grid.fine(squares), "otsu", reason, shown.real(-at if shown.slope < 0 else at))


def _threshold(found: Tissue, within: Mask) -> float:
    """Below which there is the dark class: nothing, where all of the body is of one value."""
    values, counts = Histogram.of(found.values[within]).smooth
    if len(values) == 1:
        return float(values[0]) - 1
    return float(threshold_otsu(hist=(counts, values)))  # type: ignore[no-untyped-call]
