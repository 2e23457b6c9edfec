"""The 5/3 wavelet, and the coefficients that a pixel depends on."""

from __future__ import annotations

import glymur
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sdfo.jpeg2000 import Image, codestream, open_codec, wavelet
from sdfo.testing.images import image

SIZES = st.tuples(st.integers(1, 24), st.integers(1, 24))
LEVELS = st.integers(0, 6)
SEEDS = st.integers(0, 1 << 30)


@given(size=SIZES, levels=LEVELS, seed=SEEDS, bits=st.integers(1, 24), components=st.sampled_from((1, 3)))
def test_inverse_of_forward(size, levels, seed, bits, components):
    """The image again, whatever its size and values, empty bands and all."""
    planes = np.random.default_rng(seed).integers(-(1 << bits), 1 << bits, (components, *size)).astype(np.int32)
    kept = planes.copy()
    assert np.array_equal(wavelet.inverse(wavelet.forward(planes, levels), levels), planes)
    assert np.array_equal(wavelet.forward(wavelet.inverse(planes, levels), levels), planes)
    assert np.array_equal(planes, kept)


@given(size=SIZES, levels=LEVELS, seed=SEEDS)
def test_needed_coefficients_are_enough(size, levels, seed):
    """With every other one zero, the region is exact."""
    random = np.random.default_rng(seed)
    planes = random.integers(-4096, 4096, (1, *size)).astype(np.int32)
    region = random.random(size) < random.choice([0.02, 0.2, 0.9])
    needed = wavelet.needed(region, levels)
    kept = np.where(needed, wavelet.forward(planes, levels), 0)
    assert np.array_equal(wavelet.inverse(kept, levels)[0][region], planes[0][region])


@given(size=SIZES, seed=SEEDS)
def test_needed_coefficients_are_no_more(size, seed):
    """At one level each of them matters: with it changed, the region is not exact any more."""
    region = np.zeros(size, bool)
    region.flat[seed % region.size] = True
    zeros = np.zeros((1, *size), np.int32)
    for row, column in np.argwhere(wavelet.needed(region, 1)):
        changed = zeros.copy()
        changed[0, row, column] = 1 << 12
        assert wavelet.inverse(changed, 1)[0][region].any()


def test_a_pixel_needs_little():
    """A few coefficients of each band, not the image."""
    region = np.zeros((512, 512), bool)
    region[200, 300] = True
    assert np.count_nonzero(wavelet.needed(region, 5)) < 150


@given(red=st.integers(-32768, 32767), green=st.integers(-32768, 32767), blue=st.integers(-32768, 32767))
def test_components(red, green, blue):
    """Equations G-6 to G-8 give the colours back."""
    luma, first, second = wavelet.decorrelate(np.array([red, green, blue], np.int32).reshape(3, 1, 1))
    found = luma - ((first + second) >> 2)
    assert (int(second[0, 0] + found[0, 0]), int(found[0, 0]), int(first[0, 0] + found[0, 0])) == (red, green, blue)


def test_openjpeg_has_the_same_bands(tmp_path):
    """Its decoder, asked for fewer resolutions, shows the low band of each level."""
    for size in ((64, 64), (77, 101), (130, 67)):
        given = image(size, 16)
        calm = given.samples // 4 + (1 << 14)  # a low band may exceed the image's range, and would be clipped
        path = tmp_path / "image.j2k"
        encoded = open_codec("j2k").encode(Image(calm, 16, signed=False)).codestream
        path.write_bytes(encoded)
        planes = calm[np.newaxis].astype(np.int32) - (1 << 15)
        for level in range(1, codestream.read(encoded).coding.levels + 1):
            (low,), *_ = wavelet.resolutions(size, level)
            mine = wavelet.forward(planes, level)[0, : low.rows, : low.columns] + (1 << 15)
            assert np.array_equal(glymur.Jp2k(path)[:: 2**level, :: 2**level], mine)
