"""Codestreams back to images: by OpenJPEG for use, by FFmpeg as the judge that shares no code with it.

Both guess what is missing of a codestream and only warn. So its structure is checked first, from SIZ to EOC; a byte changed
within a packet goes unnoticed, as the format has no checksum: whoever stores a codestream keeps its digest.
"""

from __future__ import annotations

from typing import Any

import av
import imagecodecs
import numpy as np
from numpy.typing import NDArray

from sdfo.errors import CodecError
from sdfo.jpeg2000 import codestream as structure
from sdfo.jpeg2000.image import DEEPEST, WIDEST, Image

JUSTIFIED = {"gray": 8, "gray16le": 16, "rgb24": 8, "rgb48le": 16}
"""FFmpeg's pixel formats, and the bits that it moves each sample to the top of."""

av.logging.set_level(None)


def decode(codestream: bytes) -> Image:
    """The image, by OpenJPEG. `CodecError` if the codestream is none, not all there, or of another kind than `Image`s."""
    said = _said(codestream)
    try:
        samples = imagecodecs.jpeg2k_decode(codestream)
    except (imagecodecs.Jpeg2kError, ValueError, NotImplementedError, MemoryError) as error:
        raise CodecError("OpenJPEG cannot decode a codestream") from error
    return _as_said(said, samples)


def judge(codestream: bytes) -> Image:
    """The same image, by FFmpeg. It takes every sample for unsigned: signed ones come with half their range added."""
    said = _said(codestream)
    precision, signed = said.size.components[0]
    try:
        context = av.CodecContext.create("jpeg2000", "r")
        frames = context.decode(av.Packet(codestream)) or context.decode(None)
        frame, wide = frames[0], JUSTIFIED[frames[0].format.name]
        plain = frame.to_ndarray().astype(np.int32) >> (wide - precision)
    except (av.error.FFmpegError, ValueError, LookupError, MemoryError) as error:
        raise CodecError("FFmpeg cannot decode a codestream") from error
    return _as_said(said, plain - (1 << precision - 1) if signed else plain)


def _said(codestream: bytes) -> structure.Header:
    header = structure.check_whole(codestream)
    size, first = header.size, header.size.components[0]
    if len(size.components) not in (1, 3) or set(size.components) != {first} or first[0] > DEEPEST:
        raise CodecError("components of a codestream", found=size.components[:4])
    if max(size.rows, size.columns) > WIDEST:
        raise CodecError("rows and columns of a codestream", found=(size.rows, size.columns))
    return header


def _as_said(header: structure.Header, samples: NDArray[Any]) -> Image:
    precision, signed = header.size.components[0]
    many = (3,) if len(header.size.components) == 3 else ()
    if samples.shape != (header.size.rows, header.size.columns, *many):
        raise CodecError("a decoder gave another image than SIZ says", found=samples.shape)
    image = Image(samples, precision, signed, rgb=header.coding.transformed)
    return Image(image.stored(), precision, signed, image.rgb)
