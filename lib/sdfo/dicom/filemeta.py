"""Preamble and File Meta Information (PS3.10 section 7.1), where a file has them; and whether it is DICOM at all."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from struct import unpack_from

from pydicom.datadict import dictionary_has_tag

from sdfo.dicom.elements import EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, Coding, has_vr
from sdfo.dicom.vr import MEDIA_CLASS, MEDIA_INSTANCE, TRANSFER_SYNTAX
from sdfo.dicom.walk import Walk
from sdfo.dicom.window import Window

PREAMBLE = 128
MAGIC = b"DICM"

GROUP_LENGTH = 0x00020000
DIRECTORY_CLASS = "1.2.840.10008.1.3.10"
"""Media Storage Directory Storage: a DICOMDIR."""

TEXT_MAX = 128
"""Characters kept of a UID or date: twice what PS3.5 table 6.2-1 allows, for whoever must see what was wrong."""

LAST = 0x0002FFFF
WANTED = frozenset((GROUP_LENGTH, MEDIA_CLASS, MEDIA_INSTANCE, TRANSFER_SYNTAX))


@dataclass(slots=True)
class FileMeta:
    """Fills up as the walk goes, so that a damaged file shows what it has."""

    values: dict[int, str] = field(default_factory=dict)
    end: int = 0
    """Where the data set begins."""
    promised: int | None = None
    """Where it should begin, by the group length (0002,0000)."""


def text_of(value: bytes) -> str:
    """A UID, date or code as found, without its padding, of TEXT_MAX characters at most."""
    return value[: TEXT_MAX + 2].decode("latin-1").rstrip("\0 ")[:TEXT_MAX]


def data_start(window: Window) -> int | None:
    """Where the File Meta Information begins, or the data set of a file without; None if this is no DICOM file.

    Without the magic the first element must be one that files begin with, group 0002 or 0008, in a coding that makes
    sense of it: text, archives and Thumbs.db fail this.
    """
    if window.bytes(0, PREAMBLE + 4)[PREAMBLE:] == MAGIC:
        return PREAMBLE + 4
    return 0 if _plausible(window.bytes(0, 8)) else None


def _plausible(header: bytes) -> bool:
    if len(header) < 8:
        return False
    order = ">" if header[0] == 0 else "<"
    group, number = unpack_from(f"{order}HH", header)
    tag = group << 16 | number
    if group not in (0x0002, 0x0008) or not (number == 0 or dictionary_has_tag(tag)):
        return False
    if has_vr(header):
        coding = EXPLICIT_BIG if order == ">" else EXPLICIT_LITTLE
        return unpack_from(f"{order}H", header, 4)[0] in coding.names
    length: int = unpack_from("<L", header, 4)[0]
    return order == "<" and length < 0x10000


def meta_coding(first: bytes) -> Coding:
    """Group 0002 is explicit VR little endian whatever follows (PS3.10 section 7.1); some writers leave out its VRs."""
    return EXPLICIT_LITTLE if has_vr(first) else IMPLICIT_LITTLE


def read_file_meta(window: Window, at: int, meta: FileMeta, wanted: Container[int] = WANTED) -> None:
    """It ends where another group begins; a wrong group length is not believed."""
    meta.end = at
    first = window.bytes(at, 8)
    if first[:2] != b"\x02\x00":
        return
    walk = Walk(window, at, meta_coding(first))
    for tag, _, value, length in walk.elements(wanted, until=LAST):
        if tag == GROUP_LENGTH and length == 4:
            meta.promised = value + 4 + int.from_bytes(window.bytes(value, 4), "little")
        elif tag != GROUP_LENGTH:
            meta.values[tag] = text_of(window.bytes(value, min(length, TEXT_MAX + 2)))
    if window.bytes(walk.at, 2) == b"\x02\x00":
        walk.finish()
    meta.end = walk.at
