"""A native image's samples, if it is one that can be recoded without a doubt; else why not.

Everything that DICOM allows and a codestream cannot say, or says in another way, is an `Obstacle`: such a file is kept as
it was. So are files whose header may not mean what it says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sdfo.dicom import DEFLATED, NATIVE, ImagePixel, is_encapsulated
from sdfo.errors import CodecError, DicomError
from sdfo.jpeg2000 import Image
from sdfo.model import Kind, is_uid
from sdfo.sdicom import TAIL_LIMIT, Record
from sdfo.sdicom.restoring import Way

_PHOTOMETRIC = {1: ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"), 3: ("RGB", "YBR_FULL")}
"""By samples a pixel: what JPEG 2000 may carry (PS3.5 section 8.2.4) of what a native image can be without shared chroma."""
_NAMED = frozenset(
    chain(*_PHOTOMETRIC.values(), ("YBR_FULL_422", "YBR_PARTIAL_422", "YBR_PARTIAL_420", "YBR_ICT", "YBR_RCT"))
)
"""Those that a reason may quote: whatever else stands there could be anything."""
_EXPLICIT_WORDS = b"OW"


class Obstacle(CodecError):
    """Why an image stays as it was, in words that quote no value of the file but its transfer syntax."""


@dataclass(frozen=True, slots=True)
class Native:
    """An image whose samples fill whole bytes. `pixels` is the matrix, `surplus` what its value holds after it."""

    says: ImagePixel
    way: Way
    pixels: memoryview
    surplus: bytes

    @property
    def rgb(self) -> bool:
        return self.says.photometric == "RGB"

    def frames(self) -> Iterator[Image]:
        """Each in turn, of integers in this machine's byte order."""
        for frame in self._shaped():
            own = np.ascontiguousarray(frame.astype(frame.dtype.newbyteorder("="), copy=False))
            yield Image(own, self.says.stored, self.says.signed, self.rgb)

    def _shaped(self) -> NDArray[Any]:
        """Views of the matrix: (frames, rows, columns), with a last axis of samples if there are several."""
        says, samples = self.says, np.frombuffer(self.pixels, np.dtype(self.way.type))
        if self.way.planar:
            return np.moveaxis(samples.reshape(says.frames, says.samples, says.rows, says.columns), 1, -1)
        shape = (says.frames, says.rows, says.columns)
        return samples.reshape(shape if says.samples == 1 else (*shape, says.samples))


def native(record: Record, original: bytes, head: bytes) -> Native:
    """The image in `original`, whose own record (not a compressed one's) is `record`. `Obstacle` if it must be kept."""
    syntax = _syntax(record)
    if record.head is None or record.tail is None:
        raise Obstacle(f"head or tail too long, {syntax}")
    try:
        says = ImagePixel.of(head)
    except DicomError as error:
        raise Obstacle(f"an attribute of the image is missing, {syntax}") from error
    _check_says(says, syntax)
    value = memoryview(original)[record.head : len(original) - record.tail]
    surplus = len(value) - says.length
    if not 0 <= surplus <= TAIL_LIMIT - record.tail:
        raise Obstacle(f"too short, or too much after the pixels, {syntax}")
    if (
        surplus > says.length % 2 and surplus >= says.frame_length
    ):  # one byte makes an odd value even (PS3.5 section 8.1.1)
        raise Obstacle(f"more frames than the header says, {syntax}")
    _check_words(head, says, syntax)
    way = Way(_type(syntax, says), says.planar)
    image = Native(says, way, value[: says.length], bytes(value[says.length :]))
    _check_range(image, syntax)
    return image


def _syntax(record: Record) -> str:
    """The transfer syntax, one of `NATIVE`. What it is otherwise is the reason, and so is what is no image."""
    syntax = record.transfer_syntax if is_uid(record.transfer_syntax) else None
    if record.kind is not Kind.DICOM:
        raise Obstacle({Kind.DAMAGED: "damaged", Kind.OTHER: "not DICOM"}[record.kind])
    if syntax is None:
        raise Obstacle("no transfer syntax named")
    if syntax in DEFLATED:
        raise Obstacle(f"deflated {syntax}")
    if record.pixels is None:
        raise Obstacle(f"no pixel data, {syntax}")
    if is_encapsulated(syntax):
        raise Obstacle(f"encapsulated {syntax}")
    if syntax not in NATIVE:
        raise Obstacle(f"transfer syntax {syntax}")
    return syntax


def _check_says(says: ImagePixel, syntax: str) -> None:
    if says.allocated not in (8, 16):
        raise Obstacle(f"Bits Allocated {says.allocated}, {syntax}")
    if not 1 <= says.stored <= says.allocated:
        raise Obstacle(f"Bits Stored beyond Bits Allocated, {syntax}")
    if says.high_bit != says.stored - 1:
        raise Obstacle(f"High Bit not Bits Stored - 1, {syntax}")
    if says.photometric not in _PHOTOMETRIC.get(says.samples, ()):
        named = says.photometric if says.photometric in _NAMED else "another"
        raise Obstacle(f"{says.samples} samples of {named} Photometric Interpretation, {syntax}")
    if says.length == 0:
        raise Obstacle(f"no pixels, {syntax}")


def _check_words(head: bytes, says: ImagePixel, syntax: str) -> None:
    """8-bit samples in words of big endian lie swapped by pairs (PS3.5 section 8.1.2)."""
    if says.allocated == 8 and NATIVE[syntax] == ">" and head[-8:-6] == _EXPLICIT_WORDS:
        raise Obstacle(f"8-bit samples in big-endian words, {syntax}")


def _type(syntax: str, says: ImagePixel) -> str:
    return np.dtype(f"{NATIVE[syntax]}{'i' if says.signed else 'u'}{says.allocated // 8}").str


def _check_range(image: Native, syntax: str) -> None:
    """A sample beyond Bits Stored has bits above High Bit, or a sign that was not extended: pydicom reads either as it lies."""
    says = image.says
    least = -(1 << says.stored - 1) if says.signed else 0
    samples = np.frombuffer(image.pixels, np.dtype(image.way.type))
    if says.stored < says.allocated and (samples.min() < least or samples.max() >= least + (1 << says.stored)):
        raise Obstacle(f"bits above High Bit in use, {syntax}")
