"""Masks cleaned on a coarser grid hold at least what the exact way gives."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from sdfo.region import shapes
from sdfo.region.histogram import Histogram
from sdfo.region.shapes import Grid

MASKS = st.builds(
    lambda rows, columns, seed, share: np.random.default_rng(seed).random((rows, columns)) < share,
    st.integers(1, 60),
    st.integers(1, 60),
    st.integers(0, 999),
    st.sampled_from([0.0, 0.01, 0.3, 0.6, 1.0]),
)


@given(MASKS, st.integers(1, 5), st.floats(0, 12), st.floats(0.3, 2), st.floats(0.3, 2))
def test_the_margin_is_never_too_small(mask, step, margin, down, across):
    """Each pixel within the margin of the mask, measured between centres, is in; none beyond a square and a half more."""
    grid = Grid(mask.shape, step, (down * step, across * step))
    grown = grid.fine(shapes.grown(grid.coarse(mask), grid, margin))
    far = ndimage.distance_transform_edt(~mask, sampling=(down, across)) if mask.any() else np.full(mask.shape, np.inf)
    assert grown[far <= margin].all()
    assert not grown[far > margin + 2 * np.hypot(down, across) * step].any()


@given(MASKS, st.integers(1, 5))
def test_a_square_with_one_pixel_counts(mask, step):
    """The coarse mask covers the fine one, and every square of it holds a pixel."""
    grid = Grid(mask.shape, step, (1.0, 1.0))
    coarse = grid.coarse(mask)
    assert grid.fine(coarse)[mask].all()
    assert (grid.coarse(mask & grid.fine(coarse)) == coarse).all()


@given(MASKS)
def test_holes_are_filled_as_scipy_fills_them(mask):
    """The faster way equals `binary_fill_holes`."""
    assert (shapes.filled(mask) == ndimage.binary_fill_holes(mask)).all()


@given(MASKS, st.integers(1, 30))
def test_large_parts(mask, smallest):
    """Every connected part of at least so many pixels is there, whole, and no other."""
    labels, count = ndimage.label(mask)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    wanted = mask & (sizes[labels] >= smallest)
    assert (shapes.large_parts(mask, smallest) == wanted).all()


def test_thin_and_long():
    """A bar 3 mm thick and 100 mm long goes; a short one, and one with a thick end, stay."""
    mask = np.zeros((60, 130), dtype=bool)
    mask[5:8, 10:110] = mask[20:23, 10:50] = mask[35:38, 10:110] = mask[33:48, 100:118] = True
    kept = shapes.without_thin(mask, (1.0, 1.0), 6, 80)
    assert not kept[5:8].any()
    assert (kept[15:] == mask[15:]).all()
    assert (shapes.without_thin(mask, (1.0, 1.0), 2, 80) == mask).all()


@pytest.mark.parametrize("tiny", [1e-6, 1e-12, 5e-324])
def test_a_spacing_of_nothing_takes_no_longer(tiny):
    """Whatever a header says: no window is larger than the mask needs. All of it is thinner than anything then."""
    mask = np.zeros((60, 130), dtype=bool)
    mask[5:8, 10:110] = True
    began = time.monotonic()
    assert (shapes.without_thin(mask, (tiny, tiny), 6, 80) == mask).all()
    assert not shapes.without_thin(mask, (tiny, 1.0), 6, 80).any()
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(("between", "deep"), [(40, True), (4, False)])
def test_the_valley_between_two_peaks(between, deep):
    """Far apart: found between them, deep. Close: shallow or none."""
    rng = np.random.default_rng(4)
    values = np.concatenate([rng.normal(100, 4, 20000), rng.normal(100 + between, 4, 5000)]).round().astype(int)
    valley = Histogram.of(values).valley(0.5)
    assert (valley.depth < 0.1) == deep
    if deep:
        assert 110 < valley.at < 135
        assert abs(valley.peak - 100) < 3
        assert valley.peak < valley.foot <= valley.at


def test_the_lowest_deep_valley_counts():
    """Air, muscle and fat: the valley above air, though that between muscle and fat is deeper."""
    rng = np.random.default_rng(5)
    peaks = [rng.normal(at, width, 20000) for at, width in ((20, 6), (50, 8), (300, 10))]
    valley = Histogram.of(np.concatenate(peaks).round().astype(int)).valley(0.5)
    assert 25 < valley.at < 45
    assert valley.depth > 0.05


def test_a_few_bright_pixels_are_no_peak():
    """0.8 % of the pixels far above the rest: a tail, and nothing to be cut off by."""
    values = np.concatenate([np.random.default_rng(6).normal(100, 8, 20000), np.full(160, 400)]).round().astype(int)
    assert Histogram.of(values).valley(0.5).depth > 0.9


def test_quantiles_are_those_of_the_pixels():
    """The smallest value with that share at or below it."""
    values = np.array([5] * 90 + [7] * 9 + [900])
    histogram = Histogram.of(values)
    assert [histogram.quantile(share) for share in (0.5, 0.9, 0.95, 0.999)] == [5, 5, 7, 900]
    assert histogram.pixels == 100
