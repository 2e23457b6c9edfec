"""A native image's file with codestreams in the place of its pixels (PS3.5 sections 8.2.4 and A.4), nothing else changed.

It is built from what an S-DICOM file's heads hold: the bytes before the pixel data's value, and those after the matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from struct import pack, unpack

from sdfo.dicom.elements import EXPLICIT_LITTLE, Coding
from sdfo.dicom.filemeta import GROUP_LENGTH, LAST, MAGIC, PREAMBLE, FileMeta, meta_coding, read_file_meta
from sdfo.dicom.imagepixel import PLANAR, ImagePixel
from sdfo.dicom.recoding import explicit_little
from sdfo.dicom.transfer import BIG_ENDIAN, IMPLICIT, coding_of
from sdfo.dicom.vr import EXTENDED_LENGTHS, EXTENDED_OFFSETS, ITEM, PHOTOMETRIC, PIXELS, TRANSFER_SYNTAX
from sdfo.dicom.walk import Walk
from sdfo.dicom.window import Window
from sdfo.errors import DicomError
from sdfo.model import Extent, Frames

EXPLICIT = "1.2.840.10008.1.2.1"
NATIVE = {IMPLICIT: "<", EXPLICIT: "<", BIG_ENDIAN: ">"}
"""Transfer syntaxes of images that can be rewritten, and the byte order of their pixels."""

_GROUP_LENGTHS = frozenset((0x00280000, 0x7FE00000))
"""Retired, and wrong once something in their groups has another length."""
_BASIC_MOST = 0xFFFFFFFF
_ENDS = b"\xfe\xff\xdd\xe0\0\0\0\0"


@dataclass(frozen=True, slots=True)
class Encapsulated:
    """A DICOM file, and where in it each frame's codestream lies, without the byte that makes it even."""

    data: bytes
    frames: Frames


def encapsulated(
    head: bytes, tail: bytes, transfer_syntax: str, photometric: str, codestreams: Sequence[bytes]
) -> Encapsulated:
    """`tail`: what followed the pixel matrix, surplus of the pixel data's own value first. One fragment a frame.

    `DicomError` for a head that cannot be rewritten: no File Meta Information, a coding other than its transfer syntax
    says, what `recoding` refuses.
    """
    meta = _meta_of(head)
    coding = _coding(head, meta)
    image = ImagePixel.of(head)
    at = len(head) - (12 if coding.explicit else 8)
    _check_pixel_header(head, at, coding)
    (length,) = unpack(f"{coding.order}L", head[-4:])
    before, after = head[meta.end : at], tail[length - image.length :]
    if coding is not EXPLICIT_LITTLE:
        before, after = (explicit_little(each, coding, image.signed) for each in (before, after))
    front = _with_syntax(head, meta, transfer_syntax) + _changed(before, image, photometric)
    return _joined(front, codestreams, after)


def _meta_of(head: bytes) -> FileMeta:
    start, meta = PREAMBLE + len(MAGIC), FileMeta()
    if head[PREAMBLE:start] != MAGIC or meta_coding(head[start : start + 8]) is not EXPLICIT_LITTLE:
        raise DicomError("no File Meta Information that names a transfer syntax")
    read_file_meta(Window.over(head), start, meta)
    return meta


def _coding(head: bytes, meta: FileMeta) -> Coding:
    syntax = meta.values.get(TRANSFER_SYNTAX)
    coding = coding_of(syntax, head[meta.end : meta.end + 8])
    if syntax not in NATIVE or coding.order != NATIVE[syntax] or coding.explicit == (syntax == IMPLICIT):
        raise DicomError("the data set is not coded as its transfer syntax says")
    return coding


def _check_pixel_header(head: bytes, at: int, coding: Coding) -> None:
    """The head ends with the header of (7FE0,0010): of OB or OW, where it has a VR."""
    group, number = unpack(f"{coding.order}HH", head[at : at + 4]) if at > 0 else (0, 0)
    if group << 16 | number != PIXELS or (coding.explicit and head[at + 4 : at + 6] not in (b"OB", b"OW")):
        raise DicomError("the pixel data is not a native (7FE0,0010)")


def _with_syntax(head: bytes, meta: FileMeta, transfer_syntax: str) -> bytes:
    """Preamble and File Meta Information: another transfer syntax, and the group length that goes with it."""
    start = PREAMBLE + len(MAGIC)
    value = transfer_syntax.encode() + b"\0" * (len(transfer_syntax) % 2)
    walk = Walk(Window.over(head), start, EXPLICIT_LITTLE)
    found = {tag: Extent(at, size) for tag, _, at, size in walk.elements((GROUP_LENGTH, TRANSFER_SYNTAX), until=LAST)}
    place = found[TRANSFER_SYNTAX]
    changed = head[: place.offset - 2] + pack("<H", len(value)) + value + head[place.end : meta.end]
    count = found.get(GROUP_LENGTH)
    if count is None:
        return changed
    return changed[: count.offset] + pack("<L", len(changed) - count.end) + changed[count.end :]


def _changed(dataset: bytes, image: ImagePixel, photometric: str) -> bytes:
    """What stands before the pixel data, explicit VR little endian, with another photometric interpretation.

    Planar Configuration becomes 0: the codestream says how its components lie (PS3.5 section 8.2.4).
    """
    text = photometric.encode() + b" " * (len(photometric) % 2)
    new = {PHOTOMETRIC: (b"CS", text)} | ({PLANAR: (b"US", bytes(2))} if image.planar else {})
    pieces, done = list[bytes](), 0
    walk = Walk(Window.over(dataset), 0, EXPLICIT_LITTLE)
    for tag, _, value, length in walk.elements(_GROUP_LENGTHS | new.keys(), until=PIXELS, prove=False):
        at = value - 8
        pieces.append(dataset[done:at])
        if tag in new:
            vr, given = new[tag]
            if dataset[at + 4 : at + 6] != vr:
                raise DicomError("an attribute of the image has another VR than it must")
            pieces.append(dataset[at : at + 6] + pack("<H", len(given)) + given)
        done = value + length
    return b"".join((*pieces, dataset[done:]))


def _joined(front: bytes, codestreams: Sequence[bytes], after: bytes, most: int = _BASIC_MOST) -> Encapsulated:
    """An Extended Offset Table where a Basic one cannot say the offsets (PS3.3 section C.7.6.3.1.8)."""
    sizes = [len(each) + len(each) % 2 for each in codestreams]
    offsets = list(accumulate((8 + size for size in sizes), initial=0))[:-1]
    extended = offsets[-1] > most
    tables = _extended(offsets, codestreams) if extended else b""
    basic = b"" if extended else pack(f"<{len(offsets)}L", *offsets)
    lead = front + tables + _element(PIXELS, b"OB", 0xFFFFFFFF) + _item(len(basic)) + basic
    pieces = [lead]
    for each, size in zip(codestreams, sizes, strict=True):
        pieces += (_item(size), each, b"\0" * (size - len(each)))
    frames = tuple((Extent(len(lead) + at + 8, len(each)),) for at, each in zip(offsets, codestreams, strict=True))
    return Encapsulated(b"".join((*pieces, _ENDS, after)), frames)


def _extended(offsets: Sequence[int], codestreams: Sequence[bytes]) -> bytes:
    form = f"<{len(offsets)}Q"
    values = (pack(form, *offsets), pack(form, *map(len, codestreams)))
    tags = (EXTENDED_OFFSETS, EXTENDED_LENGTHS)
    return b"".join(_element(tag, b"OV", len(value)) + value for tag, value in zip(tags, values, strict=True))


def _element(tag: int, vr: bytes, length: int) -> bytes:
    return pack("<HH2sHL", tag >> 16, tag & 0xFFFF, vr, 0, length)


def _item(length: int) -> bytes:
    return pack("<HHL", ITEM >> 16, ITEM & 0xFFFF, length)
