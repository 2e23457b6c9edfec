"""The frames of a DICOM file, decoded one at a time."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pydicom
from numpy.typing import NDArray
from pydicom.errors import InvalidDicomError
from pydicom.pixels.utils import pixel_array

from sdfo.errors import DicomError


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """An image. `number`: its Instance Number, if it has one."""

    ds: pydicom.Dataset
    count: int
    number: int | None

    @classmethod
    def of(cls, data: bytes) -> Frames:
        """`DicomError` if `data` is no DICOM file, or one without pixel data."""
        try:
            ds = pydicom.dcmread(io.BytesIO(data))
            count = int(ds.get("NumberOfFrames") or 1)
        except (InvalidDicomError, ValueError, TypeError, OSError, EOFError) as error:
            raise DicomError("a file is no DICOM file") from error
        if "PixelData" not in ds:
            raise DicomError("an instance without pixels", next_command="name an image, or a series of images")
        try:
            return cls(ds, count, int(ds.InstanceNumber))
        except (AttributeError, TypeError, ValueError):
            return cls(ds, count, None)

    def samples(self, frame: int) -> NDArray[Any]:
        """Those of frame `frame`, from 0: (rows, columns) or (rows, columns, components). `DicomError` if they cannot be decoded."""
        try:
            return pixel_array(self.ds, index=frame)
        except (AttributeError, KeyError, NotImplementedError, RuntimeError, TypeError, ValueError) as error:
            raise DicomError("the pixels cannot be decoded") from error

    def some(self, most: int) -> Iterator[int]:
        """Numbers of at most `most` frames, evenly chosen, from 0."""
        return iter(range(0, self.count, -(-self.count // max(1, most))))
