"""Changes to a DICOM file's bytes that no DICOM library would write for us: explicit VR little endian, PS3.5 section 7.1."""

from __future__ import annotations

import struct
from io import BytesIO

from pydicom import Dataset, dcmread
from pydicom.dataelem import RawDataElement

from sdfo.testing.heads import ROOT

Tag = tuple[int, int]

SOP, STUDY, SERIES = (0x0008, 0x0018), (0x0020, 0x000D), (0x0020, 0x000E)
PATIENT_NAME, ROWS, PIXELS = (0x0010, 0x0010), (0x0028, 0x0010), (0x7FE0, 0x0010)
PREAMBLE = bytes(128) + b"DICM"
EXPLICIT, DEFLATED = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"
UNDEFINED = 0xFFFFFFFF

_LONG = (b"OB", b"OW", b"SQ", b"UN", b"UT")  # PS3.5 table 7.1-1: two bytes reserved, length of four


def element(tag: Tag, vr: bytes, value: bytes, length: int | None = None) -> bytes:
    """A data element; `length` is what it claims, the value's own by default."""
    length = len(value) if length is None else length
    header = struct.pack("<HH2s", *tag, vr)
    return header + (struct.pack("<HI", 0, length) if vr in _LONG else struct.pack("<H", length)) + value


def uid(text: str) -> bytes:
    """A value of VR UI: padded with NUL to an even length."""
    return text.encode() + b"\0" * (len(text) % 2)


def file_meta(syntax: str, *more: bytes) -> bytes:
    """Preamble and File Meta Information (PS3.10 section 7.1): version, then `more` of it, then the transfer syntax."""
    elements = b"".join((element((2, 1), b"OB", b"\0\1"), *more, element((2, 0x10), b"UI", uid(syntax))))
    return PREAMBLE + element((2, 0), b"UL", struct.pack("<I", len(elements))) + elements


def meta_end(data: bytes) -> int:
    """Where a file's data set begins, from its group length."""
    return 144 + int(struct.unpack_from("<I", data, 140)[0])


def value_at(data: bytes, tag: Tag) -> tuple[int, int]:
    """Where a top-level value lies, and its length."""
    found = dcmread(BytesIO(data), force=True).get_item(tag)
    if not isinstance(found, RawDataElement):
        raise KeyError(tag)
    return found.value_tell, found.length


def with_value(data: bytes, tag: Tag, value: bytes) -> bytes:
    """`data` with another value, of even length, in an element of a VR with a two-byte length."""
    at, length = value_at(data, tag)
    return data[: at - 2] + struct.pack("<H", len(value)) + value + data[at + length :]


def without(data: bytes, tag: Tag) -> bytes:
    """`data` less an element of a VR with a two-byte length."""
    at, length = value_at(data, tag)
    return data[: at - 8] + data[at + length :]


def before_pixels(data: bytes, elements: bytes) -> bytes:
    """`data` with `elements` put in front of its native pixel data."""
    at = value_at(data, PIXELS)[0] - 12
    return data[:at] + elements + data[at:]


def renamed(data: bytes, study: str, number: int) -> bytes:
    """A file of another maker with UIDs of ours, each as long as the one it replaces, so that nothing else moves."""
    ds: Dataset = dcmread(BytesIO(data), force=True, stop_before_pixels=True)
    for old, new in ((ds.get("SOPInstanceUID"), f"{study}.{number}"), (ds.get("StudyInstanceUID"), study)):
        if old:
            data = data.replace(old.encode(), _as_long(new, len(old)))
    return data


def _as_long(text: str, length: int) -> bytes:
    """A valid UID of this length that ends as `text` does."""
    digits = text.removeprefix(ROOT).replace(".", "")
    return f"2.25.1{digits[-(length - 6) :].rjust(length - 6, '0')}".encode()
