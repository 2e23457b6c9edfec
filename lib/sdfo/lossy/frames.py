"""One frame, coded with its region first, cut at a layer, and proven by two decoders that share no code."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sdfo.errors import CodecError
from sdfo.jpeg2000 import Codec, Encoded, Image, cut, decode, judge
from sdfo.lossy.protected import Protected
from sdfo.lossy.quality import Quality, quality


class Unfit(Exception):
    """Why a frame, and with it its image, gets no lossy version. Never leaves this package."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`ceiling`: the largest ratio, on the basis of Bits Stored. `background`: the least PSNR, in dB."""

    ceiling: float
    background: float


@dataclass(frozen=True, slots=True)
class Cut:
    """A frame's codestream of its first `layers` out of `of` layers."""

    codestream: bytes
    layers: int
    of: int
    area: float
    quality: Quality


def compressed(image: Image, protected: Protected, limits: Limits, codec: Codec) -> Cut:
    """The frame at the strongest compression that its limits allow. `Unfit` where there is none, or it is not proven."""
    if protected.whole:
        raise Unfit("the region is the whole image")
    try:
        encoded = codec.encode(image, protected.mask)
    except CodecError as error:
        raise Unfit("the codec cannot take it") from error
    if len(encoded.layers) == 1:
        raise Unfit("all of the image depends on the region")
    return _strongest(encoded, image, protected, limits)


def ratio(image: Image, length: int) -> float:
    """On the basis of Bits Stored: what the samples need, and not the zero bits that pad them to bytes."""
    return image.samples.size * image.precision / (8 * length)


def _strongest(encoded: Encoded, image: Image, protected: Protected, limits: Limits) -> Cut:
    """Layer by layer: the ratio falls, the background gains. The last layer, which is lossless, is no answer."""
    why = "no lossy layer lies under the ceiling"
    for count in range(1, len(encoded.layers)):
        stream = cut(encoded.codestream, encoded.layers, count)
        if ratio(image, len(stream)) > limits.ceiling:
            continue
        shown = proven(stream, image, protected)
        measured = quality(image.samples, shown.samples, protected.mask, protected.padding)
        if _new_padding(shown, protected):
            why = "a pixel of the background would read as padding"
        elif measured.psnr < limits.background:
            why = "no lossy layer under the ceiling has a background that is good enough"
        else:
            return Cut(stream, count, len(encoded.layers), protected.area, measured)
    raise Unfit(why)


def proven(stream: bytes, image: Image, protected: Protected) -> Image:
    """What a codestream shows, where both decoders agree on every pixel, and on the region with the original. `Unfit` else."""
    try:
        shown, second = decode(stream), judge(stream)
    except CodecError as error:
        raise Unfit("proof failed: a decoder does not take the codestream") from error
    if (shown.precision, shown.signed) != (image.precision, image.signed):
        raise Unfit("proof failed: precision or sign of the codestream")
    if not np.array_equal(shown.samples, second.samples):
        raise Unfit("proof failed: two decoders show different images")
    if not np.array_equal(shown.samples[protected.mask], image.samples[protected.mask]):
        raise Unfit("proof failed: the region is not exact")
    return shown


def _new_padding(shown: Image, protected: Protected) -> bool:
    """Whether a viewer would take image for padding: it goes by the value alone (PS3.3 section C.7.5.1.1.2)."""
    if protected.bounds is None or protected.padding is None:
        return False
    low, high = protected.bounds
    return bool(((shown.samples >= low) & (shown.samples <= high) & ~protected.padding).any())
