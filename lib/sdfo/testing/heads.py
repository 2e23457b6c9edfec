"""Heads of generated exams: written once by pydicom, then filled in per slice at fixed positions.

A DICOM library takes a millisecond and more to write one head; a generated exam of 2,000 slices needs 2,000.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from io import BytesIO

from pydicom import Dataset, dcmread
from pydicom.dataelem import RawDataElement
from pydicom.uid import UID, ExplicitVRLittleEndian

from sdfo.testing.pixels import REAL, Modality
from sdfo.testing.shipped import shipped

ROOT = "1.2.826.0.1.3680043.10.90210"
"""Stands where a scanner's UIDs have their maker's root."""

_POSITION, _INSTANCE, _LOCATION, _TIME = (0x0020, 0x0032), (0x0020, 0x0013), (0x0020, 0x1041), (0x0008, 0x0032)
_CSA = (0x0029, 0x1010)
_CSA_LENGTHS = {0x10: 10316, 0x20: 87900}  # the two private values of a Siemens MR's head, as long as in a real exam
_CSA_STEP = 640  # bytes between the numbers that differ from slice to slice in the first of them
_DROPPED = (
    "DataSetTrailingPadding",
    "ImageComments",
    "InstanceCreatorUID",
    "InstitutionName",
    "LargestImagePixelValue",
    "NameOfPhysiciansReadingStudy",
    "OperatorsName",
    "OtherPatientIDsSequence",
    "SmallestImagePixelValue",
    "TimezoneOffsetFromUTC",
)
"""What of the real image's head tells of a person or a place, or is not true of a generated one."""


@dataclass(frozen=True, slots=True)
class Order:
    """What every head of one series says."""

    modality: Modality
    size: int
    study: str
    date: str
    series: int
    stem: str
    """Of the SOP Instance UIDs and of the series' own: a valid UID that one more component still fits."""
    patient: str
    siemens: bool = False


def sop_uid(stem: str, number: int) -> str:
    """Of one length for every number below 9,000,000, so that it may be written over another."""
    return f"{stem}.{1_000_000 + number}"


class Head:
    """A file's bytes up to its pixel data's value, with holes where slices differ."""

    def __init__(self, order: Order) -> None:
        self._stem = order.stem
        ds = _template(order)
        file = BytesIO()
        ds.save_as(file, enforce_file_format=True)
        raw = file.getvalue()
        self._raw = raw[: len(raw) - len(ds.PixelData)]
        read = dcmread(BytesIO(raw))
        self._sops = [found.start() for found in re.finditer(re.escape(ds.SOPInstanceUID.encode()), self._raw)]
        self._holes = {tag: _hole(read, tag) for tag in (_POSITION, _INSTANCE, _LOCATION, _TIME)}
        at, length = _hole(read, _CSA) if order.siemens else (0, 0)
        self._numbers = range(at + 64, at + length - 8, _CSA_STEP)

    def filled(self, number: int) -> bytes:
        """The head of slice `number`, counted from 1."""
        head = bytearray(self._raw)
        for at in self._sops:
            sop = sop_uid(self._stem, number).encode()
            head[at : at + len(sop)] = sop
        z = number * 0.5 - 100
        for tag, text in (
            (_INSTANCE, f"{number}"),
            (_POSITION, f"-125.50\\-130.25\\{z:.2f}"),
            (_LOCATION, f"{z:.2f}"),
            (
                _TIME,
                f"{8 + number // 3600 % 12:02}{number // 60 % 60:02}{number % 60:02}.{number * 7919 % 1_000_000:06}",
            ),
        ):
            at, length = self._holes[tag]
            head[at : at + length] = text.encode().ljust(length)  # PS3.5 6.2: IS, DS and TM may end in spaces
        for factor, at in enumerate(self._numbers, 7919):
            head[at : at + 8] = b"%08d" % (number * factor % 100_000_000)
        return bytes(head)


def _hole(ds: Dataset, tag: tuple[int, int]) -> tuple[int, int]:
    """Where the value lies, and its length: pydicom keeps both until the element is looked at."""
    found = ds.get_item(tag)
    if not isinstance(found, RawDataElement):
        raise TypeError(f"{tag} is not raw any more")
    return found.value_tell, found.length


def _template(order: Order) -> Dataset:
    """A real image's head, made one of this order's, with the widest value in every hole."""
    ds = dcmread(shipped(REAL[order.modality]))
    ds.remove_private_tags()
    for keyword in _DROPPED:
        if keyword in ds:
            delattr(ds, keyword)
    sop = sop_uid(order.stem, 8_999_999)
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = UID(sop)
    ds.StudyInstanceUID, ds.SeriesInstanceUID = order.study, f"{order.stem}.0"
    ds.FrameOfReferenceUID = f"{order.stem}.1"
    ds.PatientName, ds.PatientID, ds.StudyID = f"SYNTHETIC^EXAM {order.patient}", f"SYN-{order.patient}", order.patient
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = ds.InstanceCreationDate = order.date
    ds.SeriesNumber, ds.StudyDescription = order.series, "generated from a real image"
    ds.InstanceNumber, ds.SliceLocation, ds.AcquisitionTime = 99_999_999, "1000000.00", "235959.999999"
    ds.ImagePositionPatient = ["-125.50", "-130.25", "1000000.00"]
    if order.siemens:
        _add_private(ds, order)
    if order.modality == "MR":
        ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 12, 11, 0
    ds.Rows = ds.Columns = order.size
    ds.PixelData = bytes(2 * order.size**2)
    return ds


def _add_private(ds: Dataset, order: Order) -> None:
    """Private values like a Siemens MR's: a protocol as text, with zeros between."""
    block = ds.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
    lines = (
        f"sSlice.asItem[{n}].d{_scattered(n):08x}\t=\t{_scattered(n) % 99991 / 7:.6f}\n\0\0\0\0" for n in range(4000)
    )
    text = f"SV10 {order.stem}\n{''.join(lines)}".encode()
    for element, length in _CSA_LENGTHS.items():
        block.add_new(element, "OB", text[:length])


def _scattered(number: int) -> int:
    return number * 2654435761 % 2**32  # Knuth's multiplicative hash
