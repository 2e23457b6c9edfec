"""Elements from implicit VR or big endian to explicit VR little endian (PS3.5 annex A), values byte for byte.

Only what the coding says is changed: headers, the byte order of numbers, and the lengths of sequences and items that have
one. Group lengths (gggg,0000), retired and wrong after that, are left out. `DicomError` for what has no sure counterpart,
such as a UN value in big endian.
"""

from __future__ import annotations

from struct import Struct, pack

from pydicom.datadict import dictionary_VR

from sdfo.dicom.elements import Coding
from sdfo.dicom.nested import DEPTH_MAX
from sdfo.dicom.vr import ITEM, ITEM_DELIMITER, LONG, SEQUENCE_DELIMITER, UNDEFINED, tag_text
from sdfo.errors import DicomError

_UNITS = dict.fromkeys("AT US SS OW".split(), 2) | dict.fromkeys("UL SL FL OL OF".split(), 4)  # noqa: SIM905
_UNITS |= dict.fromkeys("FD OD SV UV OV".split(), 8)  # noqa: SIM905
"""Bytes of one number in a VR that has a byte order (PS3.5 section 7.3)."""

_SHORT_MOST = 0xFFFF
_AMBIGUOUS = {"OB or OW": "OW", "US or OW": "OW"}
"""What implicit VR data of these is in explicit VR; the bytes are the same (PS3.5 section A.1)."""


def explicit_little(data: bytes, coding: Coding, signed: bool) -> bytes:
    """The elements of `data`, a stretch of a data set's top level. What begins with four zero bytes is padding, and kept.

    `signed`: the data set's Pixel Representation, which decides between US and SS.
    """
    written, at = _Recoder(data, coding, signed).elements(0, len(data), 0)
    return written + data[at:]


class _Recoder:
    def __init__(self, data: bytes, coding: Coding, signed: bool) -> None:
        self._data, self._coding, self._signed = data, coding, signed
        self._short, self._wide = Struct(f"{coding.order}HHHH").unpack_from, Struct(f"{coding.order}L").unpack_from

    def elements(self, at: int, end: int, depth: int, delimited: bool = False) -> tuple[bytes, int]:
        """What stands from `at` to `end`, or to the item's delimiter, and where that ends."""
        written = list[bytes]()
        while at < end and not (depth == 0 and self._data[at : at + 4] == bytes(4)):
            if delimited and self._item(at)[0] == ITEM_DELIMITER:
                return b"".join(written), at + 8
            tag, vr, value, length = self._header(at)
            if vr == "SQ":
                content, at = self._sequence(value, length, end, depth + 1)
                written.append(_header(tag, vr, UNDEFINED if length == UNDEFINED else len(content)) + content)
                continue
            at = value + length
            if at > end:
                raise DicomError(f"{tag_text(tag)} cannot be written in another coding", offset=value)
            if tag & 0xFFFF:
                written.append(_header(tag, vr, length) + self._swapped(tag, vr, self._data[value:at]))
        if delimited:
            raise DicomError("an item without its delimiter", offset=at)
        return b"".join(written), at

    def _sequence(self, at: int, length: int, end: int, depth: int) -> tuple[bytes, int]:
        """The items, with their headers, and the delimiter where there is one."""
        if depth > DEPTH_MAX:
            raise DicomError("sequences nested too deep", offset=at, expected=DEPTH_MAX)
        written, undefined = list[bytes](), length == UNDEFINED
        end = end if undefined else at + length
        while at < end:
            tag, inner = self._item(at)
            at += 8
            if tag == SEQUENCE_DELIMITER and undefined:
                return b"".join((*written, _delimiter(tag))), at
            if tag != ITEM:
                raise DicomError("neither item nor delimiter", offset=at, found=tag_text(tag))
            stop = end if inner == UNDEFINED else at + inner
            content, at = self.elements(at, stop, depth, inner == UNDEFINED)
            written += (_item(UNDEFINED if inner == UNDEFINED else len(content)), content)
            if inner == UNDEFINED:
                written.append(_delimiter(ITEM_DELIMITER))
        return b"".join(written), at

    def _header(self, at: int) -> tuple[int, str, int, int]:
        """Tag, explicit VR, offset and length of the value."""
        if at + 8 > len(self._data):
            raise DicomError("an element's header is cut short", offset=at)
        group, number, letters, length = self._short(self._data, at)
        tag, value = group << 16 | number, at + 8
        if not self._coding.explicit:
            (length,) = self._wide(self._data, at + 4)
            return tag, self._looked_up(tag, length), value, length
        vr = self._coding.names.get(letters)
        if vr in LONG and value + 4 <= len(self._data):
            (length,), value = self._wide(self._data, value), value + 4
        if vr is None or vr == "UN" or (length == UNDEFINED and vr != "SQ"):
            raise DicomError(f"{tag_text(tag)} cannot be written in another coding", offset=at)
        return tag, vr, value, length

    def _looked_up(self, tag: int, length: int) -> str:
        """The dictionary's VR (PS3.6); UN for what it does not know, or a short length field cannot hold (PS3.5 6.2.2)."""
        private = tag >> 16 & 1
        try:
            vr = dictionary_VR(tag) if not private else "LO" if 0x10 <= tag & 0xFFFF <= 0xFF else "UN"
        except KeyError:
            vr = "UN"
        if length == UNDEFINED:
            if vr not in ("SQ", "UN"):
                raise DicomError(f"{tag_text(tag)} has an undefined length, which {vr} cannot have")
            return "SQ"
        vr = _AMBIGUOUS.get(vr, vr)
        if vr.startswith("US or SS"):
            vr = "SS" if self._signed else "US"
        return "UN" if vr not in LONG and length > _SHORT_MOST else vr

    def _item(self, at: int) -> tuple[int, int]:
        if at + 8 > len(self._data):
            raise DicomError("an item or delimiter is cut short", offset=at)
        group, number, length = self._coding.item(self._data, at)
        return group << 16 | number, length

    def _swapped(self, tag: int, vr: str, value: bytes) -> bytes:
        unit = _UNITS.get(vr, 1) if self._coding.order == ">" else 1
        if unit == 1:
            return value
        if len(value) % unit:
            raise DicomError(f"{tag_text(tag)} does not hold whole numbers", expected=unit, found=len(value))
        swapped = bytearray(len(value))
        for byte in range(unit):
            swapped[byte::unit] = value[unit - 1 - byte :: unit]
        return bytes(swapped)


def _header(tag: int, vr: str, length: int) -> bytes:
    """An explicit little endian element's (PS3.5 section 7.1.2)."""
    if vr in LONG:
        return pack("<HH2sHL", tag >> 16, tag & 0xFFFF, vr.encode(), 0, length)
    return pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), length)


def _item(length: int) -> bytes:
    return pack("<HHL", ITEM >> 16, ITEM & 0xFFFF, length)


def _delimiter(tag: int) -> bytes:
    return pack("<HHL", tag >> 16, tag & 0xFFFF, 0)
