"""What a head says of its pixel matrix: the Image Pixel module (PS3.3 section C.7.6.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from sdfo.dicom.select import select
from sdfo.dicom.vr import BITS_ALLOCATED, COLUMNS, FRAME_COUNT, PHOTOMETRIC, ROWS, SAMPLES, tag_text
from sdfo.errors import DicomError

PLANAR, BITS_STORED, HIGH_BIT, PIXEL_SIGN = 0x00280006, 0x00280101, 0x00280102, 0x00280103
_NUMBERS = (ROWS, COLUMNS, SAMPLES, BITS_ALLOCATED, BITS_STORED, HIGH_BIT, PIXEL_SIGN)
_TAGS = (*_NUMBERS, PHOTOMETRIC, FRAME_COUNT, PLANAR)


@dataclass(frozen=True, slots=True)
class ImagePixel:
    """`planar`: Planar Configuration 1, which only several samples a pixel have. `frames` is 1 where it is not said."""

    rows: int
    columns: int
    samples: int
    allocated: int
    stored: int
    high_bit: int
    signed: bool
    photometric: str
    frames: int
    planar: bool

    @classmethod
    def of(cls, head: bytes) -> Self:
        """`DicomError` where an attribute that a native image must have is absent or no number."""
        found = select(head, _TAGS)
        for tag in _NUMBERS:
            if type(found.get(tag)) is not int:
                raise DicomError(f"{tag_text(tag)} is absent or no number")
        rows, columns, samples, allocated, stored, high_bit, sign = (found[tag] for tag in _NUMBERS)
        planar = samples > 1 and found.get(PLANAR) == 1
        photometric = _text(found.get(PHOTOMETRIC))
        frames = _frames(found.get(FRAME_COUNT))
        return cls(rows, columns, samples, allocated, stored, high_bit, sign == 1, photometric, frames, planar)

    @property
    def frame_length(self) -> int:
        """Bytes of one frame, of samples that fill whole bytes."""
        return self.rows * self.columns * self.samples * self.allocated // 8

    @property
    def length(self) -> int:
        return self.frames * self.frame_length


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _frames(value: Any) -> int:
    if value in (None, "", 0):
        return 1
    if type(value) is not int or value < 0:
        raise DicomError(f"{tag_text(FRAME_COUNT)} is no number")
    return value
