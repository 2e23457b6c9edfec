"""What an index may say wrongly of a compressed value: each is an error of the format, soon, and never other bytes."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from struct import pack

import pytest

from sdfo.errors import CodecError, RecordMismatch, SdicomError
from sdfo.jpeg2000 import open_codec
from sdfo.model import Extent, Form
from sdfo.sdicom import Original, described
from sdfo.sdicom.restoring import restored, stored
from sdfo.testing.natives import NativeImage, noise
from sdfo.transcoder import Recipe
from sdfo.transcoder.compressing import Press

FILE = NativeImage(noise((2, 24, 20), 12, False), 12).file()
PLAIN = described("a", FILE)
EDGES = FILE[: PLAIN.head], b""
MADE = Press(Recipe("j2k", Form.CODESTREAM), open_codec("j2k")).press(PLAIN, FILE, EDGES)
RECORD, VALUE = MADE.record, MADE.value
FIRST, SECOND = (frame[0] for frame in RECORD.frames)


def test_as_it_was_written():
    """What the others change is right."""
    assert restored(RECORD, VALUE, EDGES) == FILE


@pytest.mark.parametrize(
    "text",
    ["", "pixels", "pixels <u4", "pixels <f2", "pixels O", "pixels <u2 planar more", "Pixels <u2", "pixels  <u2"],
)
def test_a_way_back_that_is_none(text):
    """Is not tried."""
    with pytest.raises(SdicomError, match="no way is known"):
        restored(replace(RECORD, original=Original(len(FILE), PLAIN.sha256, text)), VALUE, EDGES)


@pytest.mark.parametrize(
    "frames",
    [
        (),
        ((FIRST,),),
        ((SECOND,), (FIRST,)),
        ((FIRST,), (FIRST,)),
        ((FIRST,), ()),
        ((FIRST,), (Extent(-SECOND.length, SECOND.length),)),
        ((FIRST,), (Extent(SECOND.offset, 2**62),)),
        ((FIRST,), (Extent(SECOND.offset, SECOND.length - 1),)),
        ((Extent(0, len(VALUE)),),),
    ],
    ids=["none", "one", "swapped", "twice", "empty", "negative", "long", "short", "joined"],
)
def test_frames_that_are_none(frames):
    """Give the original or an error."""
    with suppress(CodecError, RecordMismatch, SdicomError):
        assert restored(replace(RECORD, frames=frames), VALUE, EDGES) == FILE


def test_one_frame_a_hundred_thousand_times():
    """Is decoded no further than the original was long."""
    with pytest.raises(CodecError, match="larger than their original"):
        restored(replace(RECORD, frames=((FIRST,),) * 100_000), VALUE, EDGES)


def test_without_frames_or_head():
    """Neither the original nor the object can be told."""
    for give in (restored, stored):
        without = [(replace(RECORD, frames=none), EDGES) for none in (None, ())]
        for record, edges in (*without, (RECORD, None)):
            with pytest.raises(SdicomError):
                give(record, VALUE, edges)


def test_a_codestream_of_gigabytes():
    """Some hundred bytes that say so are not decoded: the original was smaller."""
    sides = pack(">II", 65535, 65535)
    huge = VALUE[:8] + sides + VALUE[16:24] + sides + VALUE[32:]
    with pytest.raises(CodecError, match="larger than their original"):
        restored(RECORD, huge, EDGES)
