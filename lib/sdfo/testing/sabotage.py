"""Codecs that break their promise, each in its own way: a proof that does not catch them proves nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sdfo.errors import CodecError
from sdfo.jpeg2000 import Encoded, Image, Mask
from sdfo.jpeg2000.lossless import J2k


class _Broken(J2k):
    def encode(self, image: Image, region: Mask | None = None) -> Encoded:
        return super().encode(self.spoilt(image))

    def spoilt(self, image: Image) -> Image:
        raise NotImplementedError


class OnePixelOff(_Broken):
    """Loses one bit of one sample."""

    def spoilt(self, image: Image) -> Image:
        samples = image.samples.copy()
        samples[0, 0] ^= 1
        return replace(image, samples=samples)


class WiderThanSaid(_Broken):
    """Declares 16 bits, whatever the image has."""

    def spoilt(self, image: Image) -> Image:
        return replace(image, precision=16)


class Transposed(_Broken):
    """Rows for columns: as many samples of the same kind."""

    def spoilt(self, image: Image) -> Image:
        return replace(image, samples=np.ascontiguousarray(np.swapaxes(image.samples, 0, 1)))


class Decorrelates(_Broken):
    """Takes any three components for red, green and blue."""

    def spoilt(self, image: Image) -> Image:
        return replace(image, rgb=image.samples.ndim == 3)


class Unable(_Broken):
    """Takes nothing."""

    def spoilt(self, image: Image) -> Image:
        raise CodecError("not today")


_KINDS = (OnePixelOff, WiderThanSaid, Transposed, Decorrelates, Unable)
BROKEN = {kind.__name__: f"{__name__}:{kind.__name__}" for kind in _KINDS}
"""As rows of `jpeg2000.CODECS`."""
