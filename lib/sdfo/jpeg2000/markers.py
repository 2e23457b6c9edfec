"""The marker segments of a codestream's main header (ISO 15444-1 annex A), read and written. Any bytes may come in."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from sdfo.errors import CodecError

SOC, SIZ, CAP, COD, COC, RGN, QCD, QCC = 0xFF4F, 0xFF51, 0xFF50, 0xFF52, 0xFF53, 0xFF5E, 0xFF5C, 0xFF5D
POC, PPM, PPT, PLT, TLM, PLM, COM = 0xFF5F, 0xFF60, 0xFF61, 0xFF58, 0xFF55, 0xFF57, 0xFF64
SOT, SOD, EOC = 0xFF90, 0xFF93, 0xFFD9

MOST_COMPONENTS = 16384
"""Csiz, table A.9."""


@dataclass(frozen=True, slots=True)
class Segment:
    """`body`: what follows the marker and its length."""

    marker: int
    offset: int
    body: bytes

    @property
    def end(self) -> int:
        return self.offset + 4 + len(self.body)

    def bytes(self) -> bytes:
        return struct.pack(">HH", self.marker, len(self.body) + 2) + self.body


def number(data: bytes, offset: int, size: int) -> int:
    """A big-endian number; `CodecError` beyond the end."""
    if offset + size > len(data):
        raise CodecError("a codestream ends too soon", offset=offset, expected=f"{size} bytes")
    return int.from_bytes(data[offset : offset + size], "big")


def segments(data: bytes, offset: int, last: int) -> Iterator[Segment]:
    """From `offset` to the marker `last`, which is not given. Each takes four bytes at least, so this ends."""
    while (marker := number(data, offset, 2)) != last:
        length = number(data, offset + 2, 2)
        if marker < SOC or marker in (SOC, SOT, SOD, EOC) or length < 2:
            raise CodecError("no marker segment of a codestream's header", offset=offset, found=f"{marker:#06x}")
        if offset + 2 + length > len(data):
            raise CodecError("a codestream ends inside a marker segment", offset=offset, expected=f"{length} bytes")
        segment = Segment(marker, offset, data[offset + 4 : offset + 2 + length])
        yield segment
        offset = segment.end


@dataclass(frozen=True, slots=True)
class Size:
    """SIZ (table A.9). `components`: precision and sign of each."""

    rows: int
    columns: int
    components: tuple[tuple[int, bool], ...]

    @classmethod
    def read(cls, segment: Segment) -> Size:
        body = segment.body
        count = number(body, 34, 2)
        if not 1 <= count <= MOST_COMPONENTS or len(body) != 36 + 3 * count:
            raise CodecError("SIZ does not fit its components", offset=segment.offset, found=count)
        across, down, left, top = struct.unpack_from(">4I", body, 2)
        if across <= left or down <= top:
            raise CodecError("SIZ has no pixels", offset=segment.offset)
        each = body[36::3]
        return cls(down - top, across - left, tuple(((bits & 0x7F) + 1, bool(bits & 0x80)) for bits in each))


@dataclass(frozen=True, slots=True)
class Coding:
    """COD (table A.12). `order`: 0 is by layer first (table A.16)."""

    order: int
    layers: int
    transformed: bool
    levels: int

    @classmethod
    def read(cls, segment: Segment) -> Coding:
        if len(segment.body) < 10:
            raise CodecError("COD is too short", offset=segment.offset)
        order, layers, transformed, levels = struct.unpack_from(">BHBB", segment.body, 1)
        if layers == 0 or levels > 32:
            raise CodecError("COD has no layers, or more than 32 levels", offset=segment.offset)
        return cls(order, layers, bool(transformed), levels)


@dataclass(frozen=True, slots=True)
class Quantization:
    """QCD or QCC without quantisation (tables A.27 to A.29): guard bits, and the exponent of each band."""

    guard: int
    exponents: tuple[int, ...]

    @classmethod
    def read(cls, segment: Segment, components: int) -> Quantization:
        skip = _component_bytes(components) if segment.marker == QCC else 0
        style = number(segment.body, skip, 1)
        if style & 0x1F:
            raise CodecError("a codestream is quantised", offset=segment.offset)
        return cls(style >> 5, tuple(each >> 3 for each in segment.body[skip + 1 :]))


@dataclass(frozen=True, slots=True)
class Shift:
    """RGN (tables A.24 to A.26): how far the region of one component was lifted."""

    component: int
    by: int

    @classmethod
    def read(cls, segment: Segment, components: int) -> Shift:
        skip = _component_bytes(components)
        if len(segment.body) != skip + 2 or segment.body[skip] != 0:
            raise CodecError("RGN is not Maxshift's", offset=segment.offset)
        return cls(number(segment.body, 0, skip), segment.body[skip + 1])


def _component_bytes(components: int) -> int:
    return 1 if components < 257 else 2
