"""JPEG 2000 Part 1 whose first layer holds a region exactly, and whose last layer holds everything."""

from __future__ import annotations

import numpy as np

from sdfo.errors import CodecError
from sdfo.jpeg2000 import blocks, codestream, maxshift, openjpeg, wavelet
from sdfo.jpeg2000.codecs import Encoded
from sdfo.jpeg2000.image import Image, Mask
from sdfo.jpeg2000.lossless import J2k

LEFT_OUT = (6, 4, 2)
"""Of the background, the lowest bit-planes that the second, third and fourth layer leave out."""


class J2kRoi:
    """Maxshift with layers by bit-planes.

    The first layer completes the region, the next ones refine the background, the last is lossless. A region that is the
    whole image, or on which all of it depends, needs no lifting: one layer, as `j2k` writes it.
    """

    transfer_syntax = "1.2.840.10008.1.2.4.90"
    takes_region = True

    def encode(self, image: Image, region: Mask | None = None) -> Encoded:
        image.check()
        if region is None or _checked(image, region).all():
            return _whole(image)
        cut = blocks.choose(image.size)
        if cut is None:
            return _whole(image)
        planes = maxshift.decorrelate(image.planes()) if image.rgb else image.planes()
        coefficients = wavelet.forward(planes, cut.levels)
        lifted = maxshift.lift(coefficients, wavelet.needed(region, cut.levels), cut.planes)
        if lifted is None:
            return _whole(image)
        layout = openjpeg.Layout(lifted.planes, cut.levels, (cut.columns, cut.rows), _layers(lifted))
        coded = openjpeg.encode(wavelet.inverse(lifted.coefficients, cut.levels), layout)
        told = codestream.declare(coded, image.precision, image.signed, shift=lifted.shift, transformed=image.rgb)
        return Encoded(told, codestream.layer_ends(told))


def _checked(image: Image, region: Mask) -> Mask:
    if region.dtype != np.bool_ or region.shape != image.size:
        raise CodecError("a region that is no mask of its image", expected=image.size, found=region.shape)
    if not region.any():
        raise CodecError("a region without a pixel")
    return region


def _layers(lifted: maxshift.Shifted) -> tuple[int, ...]:
    """Bit-planes that each layer completes."""
    refined = (lifted.planes - left_out for left_out in LEFT_OUT if left_out + 2 < lifted.shift)
    return lifted.region, *refined, lifted.planes


def _whole(image: Image) -> Encoded:
    plain = J2k().encode(image).codestream
    return Encoded(plain, (len(plain),))
