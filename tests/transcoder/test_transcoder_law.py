"""The law of transcoding, over images of every kind: carried means that it restores, and shows what it was made of."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.encaps import generate_frames

from sdfo.jpeg2000 import CODECS, judge, open_codec
from sdfo.model import Form
from sdfo.sdicom import described
from sdfo.sdicom.restoring import restored, stored
from sdfo.testing.natives import BIG, HALVES, IMPLICIT, LITTLE, NativeImage
from sdfo.transcoder import Recipe
from sdfo.transcoder.compressing import Press

MAY_KEEP = ("htj2k",)
"""Codecs that do not take, or whose streams FFmpeg does not read right, every kind of image: those are kept."""

_ONE = ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR")
_THREE = ("RGB", "YBR_FULL")


@st.composite
def native_images(draw):
    """1 to 16 bits, signed or not, of every photometric interpretation, syntax and odd size, with extremes or smooth."""
    photometric = draw(st.sampled_from(_ONE + _THREE))
    bits = draw(st.integers(1, 16))
    allocated = 16 if bits > 8 else draw(st.sampled_from((8, 16)))
    signed = photometric.startswith("MONO") and draw(st.booleans())
    sides = st.integers(1, 40)
    shape = (draw(st.integers(1, 3)), draw(sides), draw(sides), *((3,) if photometric in _THREE else ()))
    samples = _samples(draw, shape, bits, signed)
    planar = photometric in _THREE and draw(st.booleans())
    syntax = draw(st.sampled_from((LITTLE, IMPLICIT, BIG)))
    return NativeImage(samples, bits, signed, photometric, allocated, syntax, planar)


def _samples(draw, shape, bits, signed):
    least, size = (-(1 << bits - 1) if signed else 0), 1 << bits
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(("noise", "smooth", "flat", "extremes")))
    if kind == "smooth":
        ramp = np.add.outer(np.arange(shape[1]), np.arange(shape[2])) * size // (shape[1] + shape[2])
        return np.broadcast_to(ramp.reshape(1, *ramp.shape, *([1] * (len(shape) - 3))), shape) + least
    if kind == "flat":
        return np.full(shape, least + size // 2)
    return least + (rng.integers(0, size, shape) if kind == "noise" else rng.integers(0, 2, shape) * (size - 1))


def _law(image: NativeImage, codec: str, form: Form) -> None:
    data = image.file()
    record = described("a", data)
    edges = data[: record.head], data[len(data) - record.tail :]
    made = Press(Recipe(codec, form, region=HALVES), open_codec(codec)).press(record, data, edges)
    if made.reason is not None:
        assert codec in MAY_KEEP
        return
    assert made.judged
    assert len(made.treated) == (len(image.samples) if codec == "j2k-roi" else 0)
    assert all(each.layers == 1 for each in made.treated if each.area == 1)
    tails = edges[0], made.surplus + edges[1]
    assert restored(made.record, made.value, tails) == data
    ds = pydicom.dcmread(BytesIO(stored(made.record, made.value, tails)))
    frames = [judge(each).samples for each in generate_frames(ds.PixelData, number_of_frames=len(image.samples))]
    assert np.array_equal(np.stack(frames), image.samples)
    assert (ds.BitsStored, ds.PixelRepresentation, ds.Rows) == (image.stored, image.signed, image.samples.shape[1])


@settings(max_examples=60)
@given(image=native_images(), codec=st.sampled_from(("j2k", "j2k-roi")), form=st.sampled_from(list(Form)))
def test_every_native_image_is_carried(image, codec, form):
    """None is kept, each restores to its bytes, and FFmpeg shows the samples that it was made of."""
    _law(image, codec, form)


@pytest.mark.long
@pytest.mark.parametrize("codec", CODECS)
@settings(max_examples=3000)
@given(image=native_images(), form=st.sampled_from(list(Form)))
def test_every_native_image_is_carried_by_every_codec(codec, image, form):
    """The same, of thousands."""
    _law(image, codec, form)
