"""Plain lossless codecs, by imagecodecs: OpenJPEG and OpenJPH."""

from __future__ import annotations

import imagecodecs

from sdfo.jpeg2000.codecs import Encoded
from sdfo.jpeg2000.image import Image, Mask

LEVELS = 5
"""Wavelet decompositions, at most."""


class J2k:
    """JPEG 2000 Part 1, reversible."""

    transfer_syntax = "1.2.840.10008.1.2.4.90"
    takes_region = False

    def encode(self, image: Image, region: Mask | None = None) -> Encoded:
        codestream = imagecodecs.jpeg2k_encode(
            image.samples,
            level=0,
            codecformat="j2k",
            reversible=True,
            mct=image.rgb,
            bitspersample=image.precision,
            resolutions=min(LEVELS + 1, min(image.samples.shape[:2]).bit_length()),
        )
        return Encoded(bytes(codestream))


class Htj2k:
    """High-throughput JPEG 2000 (ISO/IEC 15444-15), reversible."""

    transfer_syntax = "1.2.840.10008.1.2.4.201"
    takes_region = False

    def encode(self, image: Image, region: Mask | None = None) -> Encoded:
        return Encoded(bytes(imagecodecs.htj2k_encode(image.samples, reversible=True)))
