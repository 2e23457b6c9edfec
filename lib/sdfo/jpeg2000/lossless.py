"""Plain lossless codecs, by imagecodecs: OpenJPEG and OpenJPH."""

from __future__ import annotations

import imagecodecs

from sdfo.errors import CodecError
from sdfo.jpeg2000 import wavelet
from sdfo.jpeg2000.codecs import Encoded
from sdfo.jpeg2000.image import Image, Mask


class J2k:
    """JPEG 2000 Part 1, reversible."""

    transfer_syntax = "1.2.840.10008.1.2.4.90"
    takes_region = False

    def encode(self, image: Image, region: Mask | None = None) -> Encoded:
        image.check()
        try:
            coded = imagecodecs.jpeg2k_encode(
                image.stored(),
                level=0,
                codecformat="j2k",
                reversible=True,
                mct=image.rgb,
                bitspersample=image.precision,
                resolutions=wavelet.levels_of(image.size) + 1,
            )
        except imagecodecs.Jpeg2kError as error:
            raise CodecError("OpenJPEG cannot encode an image") from error
        return Encoded(bytes(coded))


class Htj2k:
    """High-throughput JPEG 2000 (ISO/IEC 15444-15), reversible."""

    transfer_syntax = "1.2.840.10008.1.2.4.201"
    takes_region = False

    def encode(self, image: Image, region: Mask | None = None) -> Encoded:
        return Encoded(bytes(imagecodecs.htj2k_encode(image.samples, reversible=True)))
