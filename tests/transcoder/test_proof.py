"""The two-fold proof refuses what is wrong, whoever is to blame; one fold alone would not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sdfo.jpeg2000.codecs import CODECS
from sdfo.model import Form
from sdfo.sdicom.restoring import Way, encapsulate
from sdfo.testing.natives import BIG, LITTLE, NativeImage, noise
from sdfo.testing.sabotage import BROKEN
from sdfo.transcoder import Recipe, compressing, images

GREY = (1, 24, 20)
BIG_ENDIAN = NativeImage(noise(GREY, 16, False), 16, syntax=BIG).file()
PLANES = NativeImage(noise((*GREY, 3), 8, False), 8, photometric="RGB", allocated=8, planar=True).file()
SIGNED = NativeImage(noise(GREY, 16, True), 16, True).file()
PLAIN = NativeImage(noise(GREY, 12, False), 12).file()

ANOTHER_PICTURE = "proof failed: the stored object shows another picture"


def _little_endian(syntax, says):
    return np.dtype(f"<{'i' if says.signed else 'u'}{says.allocated // 8}").str


def _by_pixel(kind, planar=False):
    return Way(kind, False)


TRANSCODERS = {
    "the wrong byte order": ("_type", _little_endian, BIG_ENDIAN),
    "planes taken for pixels": ("Way", _by_pixel, PLANES),
}
"""What a transcoder may get wrong on both ways, so that the original comes back: where, how, of which file."""


@pytest.mark.parametrize("wrong", TRANSCODERS)
@pytest.mark.parametrize("form", list(Form))
def test_a_wrong_picture_that_restores_is_refused(bench, monkeypatch, wrong, form):
    """The original would come back to its SHA-256, and yet nobody could read the image: the second fold sees it."""
    place, sabotage, data = TRANSCODERS[wrong]
    monkeypatch.setattr(images, place, sabotage)
    with bench.transcoded({"a": data}, Recipe("j2k", form, judged=0)) as (done, part):
        assert done.compressed == 1
        assert part.original(part.records[0]) == data  # the first fold alone is content
    with bench.transcoded({"a": data}, Recipe("j2k", form)) as (done, part):
        assert [(done.compressed, done.judged), done.kept] == [(0, 0), ((ANOTHER_PICTURE, 1),)]
        assert part.value(part.records[0]) == data


YBR = NativeImage(noise((*GREY, 3), 8, False), 8, photometric="YBR_FULL", allocated=8).file()
REFUSED = {
    "OnePixelOff": (PLAIN, "proof failed: the original does not come back"),
    "WiderThanSaid": (PLAIN, "proof failed: the codestream says other than the header"),
    "Transposed": (PLAIN, "proof failed: the codestream says other than the header"),
    "Decorrelates": (YBR, "proof failed: a colour transform of what is no RGB"),
    "Unable": (PLAIN, f"codec Unable cannot take it, {LITTLE}"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_codec_that_breaks_its_promise(bench, monkeypatch, name):
    """Is refused without the second decoder too; the image is kept, and the reason told."""
    monkeypatch.setitem(CODECS, name, BROKEN[name])
    data, reason = REFUSED[name]
    with bench.transcoded({"a": data}, Recipe(name, judged=0)) as (done, part):
        assert done.kept == ((reason, 1),)
        assert part.value(part.records[0]) == data


def test_a_stored_object_that_is_not_whole(bench, monkeypatch):
    """Is refused without the second decoder too, though the original would come back out of it."""

    def cut(*given):
        whole = encapsulate(*given)
        return replace(whole, data=whole.data[:-1])

    monkeypatch.setattr(compressing, "encapsulate", cut)
    with bench.transcoded({"a": PLAIN}, Recipe("j2k", judged=0)) as (done, _):
        assert done.kept == (("proof failed: the stored object is not whole", 1),)


def test_the_share_that_is_judged():
    """Is what was asked for, and the same images each time; 1 is all of them and 0 none."""
    digests = [f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}" + "0" * 48 for number in range(4000)]
    shares = [sum(Recipe("j2k", judged=share).judges(each) for each in digests) for share in (0, 0.25, 1)]
    assert shares[0] == 0
    assert 800 < shares[1] < 1200
    assert shares[2] == len(digests)
    few, many = Recipe("j2k", judged=0.1), Recipe("j2k", judged=0.2)
    assert all(many.judges(each) for each in digests if few.judges(each))
    assert Recipe("j2k", judged=1).judges("f" * 64)


def test_the_judged_are_counted(bench):
    """So that a report can say how many."""
    files = {str(n): NativeImage(noise(GREY, 12, False, n), 12, number=n).file() for n in range(24)}
    with bench.transcoded(files, Recipe("j2k", judged=0.5)) as (half, _), bench.part(files) as part:
        expected = sum(Recipe("j2k", judged=0.5).judges(record.sha256) for record in part.records)
    assert 0 < half.judged == expected < 24
