"""The body region on drawn cross-sections, of which it is known what is body and what is air."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from scipy import ndimage

from sdfo.region import Plan, Shown, find
from sdfo.testing.phantoms import FAT, Trunk, stored

TRUNKS = st.builds(
    Trunk,
    size=st.sampled_from([64, 200, 256, 301, 512]),
    half=st.tuples(st.floats(0.1, 0.38), st.floats(0.1, 0.38)),
    centre=st.tuples(st.floats(0.4, 0.5), st.floats(0.4, 0.6)),
    noise=st.floats(1, 40),
    seed=st.integers(0, 99),
    circle=st.booleans(),
)
RNG = np.random.default_rng(0)
SOME = examples(max_examples=25)


def away(mask: np.ndarray, mm: float) -> np.ndarray:
    """mm from each pixel to the mask."""
    return ndimage.distance_transform_edt(~mask, sampling=(mm, mm))


@SOME
@given(TRUNKS, st.sampled_from([(1.0, -1024.0), (2.0, 0.0), (-1.0, 1024.0), (0.5, -500.0)]), st.floats(0, 30))
def test_a_ct_body_and_its_margin_are_protected_and_far_air_is_not(trunk: Trunk, rescale, margin):
    """Lung, fat and skin are inside; all within the margin is; of air further off than a square of the grid, nothing."""
    phantom = trunk.ct(*rescale)
    found = find(phantom.shown, Plan(margin_mm=margin))
    assert found.method == "body"
    assert found.mask[phantom.body].all()
    far = away(phantom.body, trunk.mm)
    inside = far <= margin - trunk.mm  # the outermost pixels of the body are half air
    assert found.mask[inside].all()
    assert not found.mask[far > margin + 8 * trunk.mm].any()
    assert found.area == found.mask.mean()
    assert found.threshold is not None
    assert -650 <= found.threshold <= -350


@SOME
@given(st.builds(Trunk, noise=st.floats(0.5, 25), seed=st.integers(0, 99), size=st.sampled_from([128, 256])))
def test_an_mr_body_is_protected_and_its_noise_is_not(trunk: Trunk):
    """Rician noise up to a twelfth of the tissue's signal: all that is five times above it is inside, most air is not."""
    phantom = trunk.mr()
    found = find(phantom.shown)
    assert found.mask[phantom.body].all()
    bright = ndimage.binary_opening(phantom.shown.samples > 5 * trunk.noise)
    assert found.mask[bright].all()
    assert not found.mask[away(phantom.body, trunk.mm) > 10 + 8 * trunk.mm].any()


@pytest.mark.parametrize("slope", [1.0, -1.0, -2.5])
def test_the_sign_of_the_slope_changes_nothing(slope):
    """The same image stored upside down has the same region and threshold."""
    plain, turned = (find(Trunk(noise=5).ct(each, 0.0).shown) for each in (abs(slope), slope))
    assert (plain.mask == turned.mask).all()
    assert turned.threshold == pytest.approx(plain.threshold, abs=2 * abs(slope))


def test_padding_is_air():
    """It is brighter or darker than anything, and never a reason to be protected."""
    phantom = Trunk(circle=True).ct()
    bright = replace(
        phantom.shown, samples=np.where(phantom.shown.samples == phantom.shown.padding[0], 3000, phantom.shown.samples)
    )
    bright = replace(bright, padding=(2999, 3001))
    for shown in (phantom.shown, bright):
        found = find(shown)
        assert found.mask[phantom.body].all()
        assert not found.mask[0, 0]
        assert found.area < 0.5


def test_the_table_is_no_body():
    """A thin long shell apart from the patient is left out; with `table_mm` 0 it is protected too."""
    trunk = Trunk(size=512, mm=0.8, table=True)
    phantom = trunk.ct()
    shell = trunk._table()
    without, with_it = find(phantom.shown), find(phantom.shown, Plan(table_mm=0))
    far = shell & (away(phantom.body, trunk.mm) > 20)
    assert far.sum() > 500
    assert not without.mask[far].any()
    assert with_it.mask[shell].all()
    assert without.mask[phantom.body].all()


def test_fingers_are_protected():
    """Five parts of a quarter percent of the image each, apart from everything."""
    y, x = np.mgrid[:512, :512]
    hand = np.zeros((512, 512), dtype=bool)
    for number in range(5):
        hand |= (y - 250) ** 2 + (x - 60 - 95 * number) ** 2 <= 15**2
    wrist = (y - 430) ** 2 + (x - 256) ** 2 <= 60**2
    base = Trunk(size=512, mm=0.4).ct().shown
    hu = np.where(hand | wrist, FAT, -1000) + np.random.default_rng(3).normal(0, 15, hand.shape)
    found = find(replace(base, samples=stored(base, hu)))
    assert found.mask[hand].all()
    assert not found.whole


def test_lung_that_the_edge_cuts_is_protected():
    """A field of view within the chest: lung reaches the edge, and is no air around a patient."""
    x = np.mgrid[:256, :256][1]
    hu = np.where(x < 120, -850.0, 40.0)
    hu[:, 200:] = -1000
    base = Trunk().ct().shown
    shown = replace(base, samples=stored(base, hu + np.random.default_rng(3).normal(0, 20, hu.shape)))
    found = find(shown)
    assert found.mask[:, :200].all()
    assert not found.mask[:, 220:].any()


def test_a_cavity_with_a_narrow_mouth_is_protected():
    """Air in the body that a channel joins to the air around it, as in a nose: narrower than two margins, it is closed."""
    trunk = Trunk(mm=1.0)
    phantom = trunk.ct()
    cavity = trunk.ellipse((0.12, 0.12), (0.35, 0.5))
    mouth = np.zeros_like(cavity)
    mouth[:90, 124:132] = True
    hu = np.where(cavity | mouth, -1000.0, phantom.shown.real(phantom.shown.samples))
    found = find(replace(phantom.shown, samples=stored(phantom.shown, hu)))
    assert (away(~cavity, 1.0) > 20).any()
    assert found.mask[cavity].all()


def test_dark_tissue_at_the_skin_of_an_mr_is_protected():
    """A rim of 40 mm at eight times the noise, dark beside what it encloses: the threshold is where the noise ends."""
    trunk = Trunk(noise=10, mm=2.0, half=(0.35, 0.4))
    signal = np.where(trunk.part(0.75), 700.0, np.where(trunk.body, 80.0, 0.0))
    real, imaginary = np.random.default_rng(1).normal(0, 10, (2, *signal.shape))
    shown = replace(trunk.mr().shown, samples=np.hypot(signal + real, imaginary).round().astype(np.uint16))
    found = find(shown)
    assert not found.whole
    assert found.threshold < 50
    assert found.mask[trunk.body].all()


def test_what_fades_out_in_an_mr_is_protected():
    """A third of the body, of all values from six times the noise up: wherever the valley is deepest, the noise ends before."""
    trunk = Trunk(noise=10, half=(0.3, 0.3))
    y, x = (np.mgrid[:256, :256] + 0.5) / 256
    far = np.hypot(y - trunk.centre[0], x - trunk.centre[1]) / 0.3
    fading = 60 + 640 * np.clip(5 * (1 - far), 0, 1) ** 3
    real, imaginary = np.random.default_rng(1).normal(0, 10, (2, 256, 256))
    samples = np.hypot(np.where(trunk.body, fading, 0) + real, imaginary).round().astype(np.uint16)
    found = find(replace(trunk.mr().shown, samples=samples), Plan(margin_mm=0))
    assert found.threshold < 60
    assert found.mask[trunk.body].mean() > 0.99


def test_an_mr_without_air_is_whole():
    """Two tissues that both reach the edge: the darker one is too bright for noise."""
    values = np.where(np.mgrid[:256, :256][1] < 120, 300, 900) + RNG.normal(0, 20, (256, 256)).astype(int)
    found = find(Shown(values, "MR"))
    assert found.whole
    assert "no air" in found.reason


def test_without_spacing_the_margin_is_that_of_a_head():
    """A field of 250 mm is assumed: the margin in pixels is 10 mm of that."""
    phantom = Trunk().ct(spacing=None)
    found = find(phantom.shown)
    far = away(phantom.body, 250 / 256)
    assert found.mask[far <= 9].all()
    assert not found.mask[far > 18].any()


NOTHING = {
    "uniform noise": RNG.integers(0, 4096, (256, 256)),
    "one Gaussian": RNG.normal(1000, 100, (256, 256)).astype(int),
    "one value": np.full((64, 64), 7),
    "one pixel": np.full((1, 1), 300),
    "one row": np.arange(40)[None, :],
    "nothing but noise": RNG.rayleigh(5, (256, 256)).astype(int),
    "wider than 17 bits": RNG.integers(0, 1 << 20, (64, 64)),
    "no air: three tissues": RNG.choice([300, 500, 900], (256, 256)) + RNG.normal(0, 20, (256, 256)).astype(int),
}


@pytest.mark.parametrize("modality", ["CT", "MR"])
@pytest.mark.parametrize("name", NOTHING)
def test_without_a_double_peak_the_region_is_the_whole_image(name, modality):
    """And says why. Otsu's method splits each of these all the same."""
    shown = Shown(NOTHING[name], modality, intercept=-1024 if modality == "CT" else 0)
    for method in ("body", "otsu"):
        found = find(shown, Plan(method=method))
        assert found.whole
        assert found.mask.all()
        assert found.area == 1
        assert found.reason


def test_nothing_but_padding_is_whole():
    """An empty slice at the end of a reformatted series."""
    shown = Shown(np.full((32, 32), -2000), "CT", padding=(-2000, -2000))
    assert find(shown).reason == "nothing but padding"


@given(
    st.integers(1, 70),
    st.integers(1, 70),
    st.integers(0, 1000),
    st.sampled_from(["CT", "MR"]),
    st.sampled_from(["body", "otsu", "whole"]),
    st.sampled_from([(-32768, 32767), (0, 255), (0, 1), (-1100, 400)]),
    st.none() | st.tuples(st.floats(1e-3, 50), st.floats(1e-3, 50)),
)
def test_any_image_has_a_region(rows, columns, seed, modality, method, ends, spacing):
    """Whatever the samples: a boolean mask of its shape that is not empty, and a reason."""
    rng = np.random.default_rng(seed)
    samples = rng.choice(np.array(ends), (rows, columns), p=[0.7, 0.3]) + rng.integers(0, 2, (rows, columns))
    found = find(Shown(samples, modality, spacing=spacing), Plan(method=method))
    assert found.mask.shape == (rows, columns)
    assert found.mask.dtype == bool
    assert found.mask.any()
    assert found.reason
    assert found.whole == found.mask.all()


def test_otsu_is_the_bright_part_of_the_body():
    """Bone and tissue of a chest, without the fat around it beyond the margin; the threshold lies above air's."""
    trunk = Trunk(size=256, mm=2.0)
    phantom = trunk.ct()
    body, bright = find(phantom.shown, Plan(margin_mm=0)), find(phantom.shown, Plan(method="otsu", margin_mm=0))
    assert bright.method == "otsu"
    assert not bright.whole
    assert bright.area < body.area
    assert bright.threshold > body.threshold
    assert bright.mask[trunk.part(0.15)].all()


def test_otsu_of_two_values():
    """A body of one value has no dark class: all of it is the region, and no error."""
    phantom = Trunk().mr()
    two = Shown(phantom.body.astype(np.uint16) * 500, modality="MR", rescaled=False)
    body, bright = find(two, Plan(margin_mm=0)), find(two, Plan(method="otsu", margin_mm=0))
    assert not body.whole
    assert (bright.mask == body.mask).all()
