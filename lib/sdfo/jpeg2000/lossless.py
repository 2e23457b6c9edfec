"""Plain lossless codecs, by imagecodecs: OpenJPEG and OpenJPH."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

import imagecodecs
import numpy as np

from sdfo.errors import CodecError
from sdfo.jpeg2000 import codestream, openjpeg, wavelet
from sdfo.jpeg2000.codecs import Encoded
from sdfo.jpeg2000.codestream import Declared, Header
from sdfo.jpeg2000.image import DEEPEST, Image, Mask, Planes
from sdfo.jpeg2000.openjpeg import Layout
from sdfo.jpeg2000.wavelet import Rectangle

SHALLOW = 4
"""Bits of a sample up to which OpenJPEG may reserve too little for noise: it refuses then, or loses some without a word."""
DECLARED = 12
"""What it is told instead, at least; the header is written anew."""


class J2k:
    """JPEG 2000 Part 1, reversible."""

    transfer_syntax = "1.2.840.10008.1.2.4.90"
    takes_region = False

    def encode(self, image: Image, region: Mask | None = None) -> Encoded:
        image.check()
        if image.precision <= SHALLOW or image.rgb:
            return Encoded(_declared_deeper(image))
        try:
            coded = imagecodecs.jpeg2k_encode(
                image.stored(),
                level=0,
                codecformat="j2k",
                reversible=True,
                mct=False,
                bitspersample=image.precision,
                resolutions=wavelet.levels_of(image.size) + 1,
            )
        except imagecodecs.Jpeg2kError as error:
            raise CodecError("OpenJPEG cannot encode an image") from error
        return Encoded(bytes(coded))


def _declared_deeper(image: Image) -> bytes:
    """Colours too: their differences take a bit more than the samples (ISO 15444-1 clause G.2.1). Where OpenJPEG decorrelates
    them itself, it leaves that bit out of the exponents, and halves without a word the coefficients that need it."""
    levels = wavelet.levels_of(image.size)
    planes = wavelet.decorrelate(image.planes()) if image.rgb else image.planes()
    declared = max(DECLARED, image.precision + image.rgb)
    coded = openjpeg.encode(planes, Layout(declared, levels, (declared,)))
    header = codestream.read(coded)
    told = Declared(image.precision, image.signed, image.rgb)
    return codestream.declare(header, told) + coded[header.end :]


class Htj2k:
    """High-throughput JPEG 2000 (ISO/IEC 15444-15), reversible.

    imagecodecs knows 8 and 16 bits only. So all samples are given to it as signed 16-bit ones, the level shift done, and
    SIZ says their precision and sign afterwards; exponents stay as they are, so that there is room above the first
    bit-plane. FFmpeg decodes wrong pixels where a coefficient uses all of it, which only full 16 bits can: refused.
    """

    transfer_syntax = "1.2.840.10008.1.2.4.201"
    takes_region = False

    def encode(self, image: Image, region: Mask | None = None) -> Encoded:
        image.check()
        planes = image.planes()
        flat = planes[0] if len(planes) == 1 else np.moveaxis(planes, 0, 2)
        levels = wavelet.levels_of(image.size)
        try:
            samples = np.ascontiguousarray(flat, np.int16)
            coded = bytes(imagecodecs.htj2k_encode(samples, reversible=True, resolutions=levels, rgb=image.rgb))
        except imagecodecs.Htj2kError as error:
            raise CodecError("OpenJPH cannot encode an image") from error
        header = codestream.read(coded)
        if image.precision == DEEPEST and _uses_all(image, header):
            raise CodecError("HTJ2K of coefficients that use all bit-planes: not every decoder reads it")
        return Encoded(codestream.declare(header, Declared(image.precision, image.signed)) + coded[header.end :])


def _uses_all(image: Image, header: Header) -> bool:
    """Whether a coefficient has a bit in the first bit-plane of its band (equation E-2)."""
    planes = wavelet.decorrelate(image.planes()) if image.rgb else image.planes()
    levels = header.coding.levels
    sizes = np.abs(wavelet.forward(planes, levels))
    bands = chain.from_iterable(wavelet.resolutions(image.size, levels))
    guard = header.quantizations[0].guard
    told = [guard + min(exponents) - 1 for exponents in _exponents(header)]
    return any(int(part.max(initial=0)) >> most - 1 for part, most in zip(_parts(sizes, bands), told, strict=True))


def _parts(sizes: Planes, bands: Iterable[Rectangle]) -> Iterator[Planes]:
    for band in bands:
        yield sizes[:, band.row : band.row + band.rows, band.column : band.column + band.columns]


def _exponents(header: Header) -> Iterator[tuple[int, ...]]:
    """Of each band, what QCD and QCC say of the components."""
    return zip(*(each.exponents for each in header.quantizations), strict=True)
