"""JPEG 2000 Part 1 whose first layer holds a region exactly, and whose last layer holds everything."""

from __future__ import annotations

import numpy as np

from sdfo.errors import CodecError
from sdfo.jpeg2000 import codestream, layering, maxshift, openjpeg, wavelet
from sdfo.jpeg2000.codecs import Encoded
from sdfo.jpeg2000.codestream import Declared
from sdfo.jpeg2000.image import Image, Mask
from sdfo.jpeg2000.lossless import J2k

LEFT_OUT = (6, 3)
"""Of the background, the lowest bit-planes that the second and the third layer leave out."""
WORTH = 2
"""Planes of the background that a layer of its own should show at least."""
ONE_PRECINCT = 1 << 15
"""Rows and columns that one precinct holds at most (ISO 15444-1 table A.21)."""


class J2kRoi:
    """Maxshift with layers by bit-planes.

    The first layer completes the region and shows the background blurred, the next ones refine it, the last is
    lossless. A region that is the whole image, or on which all of it depends, needs no lifting: one layer, as `j2k`
    writes it.
    """

    transfer_syntax = "1.2.840.10008.1.2.4.90"
    takes_region = True

    def encode(self, image: Image, region: Mask | None = None) -> Encoded:
        image.check()
        if region is None or _checked(image, region).all() or max(image.size) > ONE_PRECINCT:
            return _whole(image)
        levels = wavelet.levels_of(image.size)
        planes = wavelet.decorrelate(image.planes()) if image.rgb else image.planes()
        lifted = maxshift.lift(wavelet.forward(planes, levels), _first(region, levels), levels)
        if lifted is None:
            return _whole(image)
        layout = openjpeg.Layout(lifted.planes, levels, _layers(lifted))
        coded = openjpeg.encode(wavelet.inverse(lifted.coefficients, levels), layout)
        told = Declared(image.precision, image.signed, image.rgb, lifted.shift)
        done = layering.region_first(coded, lifted, told)
        return Encoded(done, codestream.layer_ends(done))


def _checked(image: Image, region: Mask) -> Mask:
    if region.dtype != np.bool_ or region.shape != image.size:
        raise CodecError("a region that is no mask of its image", expected=image.size, found=region.shape)
    if not region.any():
        raise CodecError("a region without a pixel")
    return region


def _first(region: Mask, levels: int) -> Mask:
    """What the region needs, and the lowest band: for some hundred bytes the first layer shows the background blurred, where
    it would be a grey that is in no image; and the largest coefficients of the background need no planes of their own."""
    first = wavelet.needed(region, levels)
    lowest = wavelet.resolutions(region.shape, levels)[0][0]
    first[: lowest.rows, : lowest.columns] = True
    return first


def _layers(lifted: maxshift.Lifted) -> tuple[int, ...]:
    """Bit-planes that each layer completes."""
    refined = (lifted.planes - each for each in LEFT_OUT if each + WORTH < lifted.shift)
    return lifted.region, *refined, lifted.planes


def _whole(image: Image) -> Encoded:
    plain = J2k().encode(image).codestream
    return Encoded(plain, (len(plain),))
