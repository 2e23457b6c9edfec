"""The proof of a compressed image, two-fold, before it is written: it gives the original back, and shows the same picture.

The first alone is not enough: samples that were taken in the wrong byte order, and are given back so, restore the very
file while the codestream shows noise. So the stored object is read as other software would, by pydicom and by a decoder
that shares no code with the encoder, and compared with pydicom's reading of the original.
"""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pydicom
from pydicom import Dataset
from pydicom.encaps import generate_frames
from pydicom.pixels.utils import pixel_array

from sdfo.dicom import MemorySource, examine
from sdfo.dicom.attributes import PYDICOM_ERRORS
from sdfo.errors import RecordMismatch
from sdfo.jpeg2000 import codestream as structure
from sdfo.jpeg2000 import judge
from sdfo.model import Kind
from sdfo.sdicom import Record
from sdfo.sdicom.restoring import restored
from sdfo.transcoder.images import Native, Obstacle

_SAME = ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation")


def gives_back(record: Record, value: bytes, edges: tuple[bytes, bytes]) -> None:
    """The value restores to the original's SHA-256."""
    try:
        restored(record, value, edges)
    except RecordMismatch as error:
        raise Obstacle("proof failed: the original does not come back") from error


def says_alike(image: Native, codestream: bytes) -> None:
    """Size, components, precision, sign and colour transform of a codestream are the image's (PS3.5 section 8.2.4)."""
    header, says = structure.read(codestream), image.says
    size, sample = header.size, (says.stored, says.signed)
    if (size.rows, size.columns, size.components) != (says.rows, says.columns, (sample,) * says.samples):
        raise Obstacle("proof failed: the codestream says other than the header")
    if header.coding.transformed and not image.rgb:
        raise Obstacle("proof failed: a colour transform of what is no RGB")


def is_whole(record: Record, stored: bytes, frames: int) -> None:
    """The stored object is DICOM, of the same instance, with a fragment for each frame."""
    found = examine(MemorySource(stored))
    same = (found.sop, found.series, found.sop_class) == (record.sop, record.series, record.sop_class)
    whole = found.kind is Kind.DICOM and found.transfer_syntax == record.transfer_syntax
    if not same or not whole or len(found.frames or ()) != frames:
        raise Obstacle("proof failed: the stored object is not whole")


def shows_alike(original: bytes, stored: bytes) -> None:
    """The stored object, parsed anew and decoded by FFmpeg, shows what pydicom reads in the original.

    `Obstacle`, or `CodecError` where FFmpeg cannot decode it at all.
    """
    try:
        before, after = (pydicom.dcmread(BytesIO(each), force=True) for each in (original, stored))
        expected = pixel_array(before, raw=True, allow_excess_frames=False)
        frames = list(generate_frames(after.PixelData, number_of_frames=int(after.get("NumberOfFrames") or 1)))
        alike = _same_header(before, after)
    except PYDICOM_ERRORS as error:
        raise Obstacle("proof failed: pydicom cannot read it") from error
    planes = expected if len(frames) > 1 else expected[np.newaxis]
    if not alike or len(planes) != len(frames):
        raise Obstacle("proof failed: the stored object says other than the original")
    for plane, frame in zip(planes, frames, strict=True):
        image = judge(frame)
        if (image.precision, image.signed) != (after.BitsStored, after.PixelRepresentation == 1):
            raise Obstacle("proof failed: precision or sign of the stored object")
        if not np.array_equal(image.samples, plane):
            raise Obstacle("proof failed: the stored object shows another picture")


def _same_header(before: Dataset, after: Dataset) -> bool:
    shown = (before.PhotometricInterpretation, after.PhotometricInterpretation)
    return (
        all(before[word].value == after[word].value for word in _SAME)
        and (before.get("NumberOfFrames") or 1) == (after.get("NumberOfFrames") or 1)
        and (shown[0] == shown[1] or shown == ("RGB", "YBR_RCT"))
        and after.get("PlanarConfiguration", 0) == 0
    )
