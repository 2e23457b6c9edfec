"""Codestreams back to images: by OpenJPEG for use, by FFmpeg as the judge that shares no code with it."""

from __future__ import annotations

from typing import Any

import av
import imagecodecs
import numpy as np
from numpy.typing import NDArray

from sdfo.errors import CodecError
from sdfo.jpeg2000.image import Image

av.logging.set_level(None)


def decode(codestream: bytes) -> Image:
    """The image, by OpenJPEG. `CodecError` if the codestream is none."""
    try:
        return _as_said(codestream, imagecodecs.jpeg2k_decode(codestream))
    except (imagecodecs.Jpeg2kError, ValueError) as error:
        raise CodecError("OpenJPEG cannot decode a codestream") from error


def judge(codestream: bytes) -> Image:
    """The same image, by FFmpeg."""
    try:
        context = av.CodecContext.create("jpeg2000", "r")
        frames = context.decode(av.Packet(codestream)) or context.decode(None)
        samples = frames[0].to_ndarray()
    except (av.error.FFmpegError, ValueError, IndexError) as error:
        raise CodecError("FFmpeg cannot decode a codestream") from error
    precision, signed = _siz(codestream)
    wide = 8 if samples.dtype == np.uint8 else 16
    plain = samples.astype(np.int32) >> (wide - precision if samples.ndim == 2 else 0)
    return _as_said(codestream, plain - (1 << precision - 1) if signed else plain)


def _as_said(codestream: bytes, samples: NDArray[Any]) -> Image:
    precision, signed = _siz(codestream)
    return Image(samples, precision, signed)


def _siz(codestream: bytes) -> tuple[int, bool]:
    """Precision and sign of the first component (ISO 15444-1 clause A.5.1: Ssiz)."""
    if codestream[:4] != b"\xff\x4f\xff\x51" or len(codestream) < 43:
        raise CodecError("no JPEG 2000 codestream")
    return (codestream[42] & 0x7F) + 1, bool(codestream[42] & 0x80)
