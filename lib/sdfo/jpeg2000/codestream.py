"""A codestream's structure (ISO 15444-1 annexes A and B): what it says of itself, where its layers end, and prefixes of it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import accumulate

from sdfo.errors import CodecError
from sdfo.jpeg2000 import markers
from sdfo.jpeg2000.markers import Coding, Quantization, Segment, Shift, Size, number

LONGEST_PACKET = 1 << 32
"""Psot has 32 bits (table A.5)."""
MOST_PLANES = 31
"""Of a coefficient, sign apart, in 32 bits."""
LONGEST_PLT = 60000
"""Bytes of lengths in one PLT; its own length has 16 bits."""
ENDING = struct.pack(">H", markers.EOC)


@dataclass(frozen=True, slots=True)
class Header:
    """The main header; `end` is where the first tile-part begins."""

    size: Size
    coding: Coding
    segments: tuple[Segment, ...]
    end: int

    @property
    def shifts(self) -> tuple[Shift, ...]:
        count = len(self.size.components)
        return tuple(Shift.read(each, count) for each in self.segments if each.marker == markers.RGN)

    @property
    def quantizations(self) -> tuple[Quantization, ...]:
        kinds, count = (markers.QCD, markers.QCC), len(self.size.components)
        return tuple(Quantization.read(each, count) for each in self.segments if each.marker in kinds)

    @property
    def high_throughput(self) -> bool:
        """Coded as ISO 15444-15 has it, which CAP announces (its clause A.3)."""
        return any(each.marker == markers.CAP for each in self.segments)


@dataclass(frozen=True, slots=True)
class TilePart:
    """`offset` of its SOT, `body` of its packets, `end` of it all; `packets`: the length of each, as far as PLT tells."""

    tile: int
    offset: int
    body: int
    end: int
    packets: tuple[int, ...]


def read(data: bytes) -> Header:
    """The main header. `CodecError` if it is none."""
    if data[:4] != struct.pack(">HH", markers.SOC, markers.SIZ):
        raise CodecError("no JPEG 2000 codestream")
    found = tuple(markers.segments(data, 2, markers.SOT))
    codings = [each for each in found if each.marker == markers.COD]
    if len(codings) != 1 or sum(each.marker == markers.SIZ for each in found) != 1:
        raise CodecError("a codestream's header needs one SIZ and one COD")
    return Header(Size.read(found[0]), Coding.read(codings[0]), found, found[-1].end)


def tile_part(data: bytes, offset: int) -> TilePart:
    """The tile-part whose SOT lies at `offset` (clause A.4.2). Of its packets nothing need be there."""
    if number(data, offset, 4) != markers.SOT << 16 | 10:
        raise CodecError("no tile-part", offset=offset)
    length = number(data, offset + 6, 4)
    lengths, body = b"", offset + 12
    for segment in markers.segments(data, body, markers.SOD):
        if segment.marker == markers.PLT:
            lengths += segment.body[1:]
        body = segment.end
    end = offset + length
    if end < body + 2:
        raise CodecError("a tile-part ends inside its header", offset=offset, found=length)
    return TilePart(number(data, offset + 4, 2), offset, body + 2, end, tuple(_lengths(lengths)))


def check_whole(data: bytes) -> Header:
    """The main header of a codestream that is all there: tile-parts of the lengths that they say, then EOC, then nothing
    but the byte that makes a DICOM fragment even (PS3.5 section A.4). `CodecError` else. Packets are not looked into."""
    header = read(data)
    offset = header.end
    while number(data, offset, 2) != markers.EOC:
        part = tile_part(data, offset)
        if part.packets and sum(part.packets) != part.end - part.body:
            raise CodecError("packets are not as long as PLT says", offset=offset)
        offset = part.end
    if data[offset + 2 :] not in (b"", b"\0"):
        raise CodecError("bytes after a codestream's end", offset=offset + 2)
    return header


def layer_ends(data: bytes) -> tuple[int, ...]:
    """For each layer, the bytes from the codestream's beginning that hold it and those before it; the last has all.
    `CodecError` where layers are not one after the other: several tile-parts, another order, no PLT."""
    header = read(data)
    return _layer_ends(header, _only_part(data, header))


def cut(data: bytes, layers: tuple[int, ...], count: int) -> bytes:
    """A codestream of the first `count` layers of one whose `layer_ends` are `layers`; only its first
    `layers[count - 1]` bytes need be there. PLT is left out: it would tell of packets that are not."""
    if not 1 <= count <= len(layers):
        raise CodecError("no such layer", expected=f"1 to {len(layers)}", found=count)
    end = layers[count - 1]
    if len(data) < end:
        raise CodecError("too few bytes for a layer", expected=end, found=len(data))
    if count == len(layers):
        return bytes(data[:end])
    header = read(data)
    part = _only_part(data, header)
    if _layer_ends(header, part) != layers:
        raise CodecError("layers do not end there", expected=_layer_ends(header, part), found=layers)
    patched = _with_layers(header, count)
    packets = data[part.body : end]
    begin = struct.pack(">HHHIBBH", markers.SOT, 10, 0, 14 + len(packets), 0, 1, markers.SOD)
    return b"".join((data[:2], *(each.bytes() for each in patched), begin, packets, ENDING))


@dataclass(frozen=True, slots=True)
class Declared:
    """What a main header shall say of the samples, whatever the encoder was told: their precision and sign, whether their
    components were decorrelated, and how far the region was lifted."""

    precision: int
    signed: bool
    transformed: bool = False
    shift: int = 0


def declare(header: Header, what: Declared) -> bytes:
    """SOC and the main header anew, without comment. `CodecError` where a decoder would need more than 31 bit-planes:
    Mb and s (clause H.1), with Mb of equation E-2."""
    count = len(header.size.components)
    kept = [_declared(each, count, what) for each in header.segments if each.marker != markers.COM]
    if what.shift:
        component = "B" if count < 257 else "H"
        told = (struct.pack(f">{component}BB", each, 0, what.shift) for each in range(count))
        kept += [Segment(markers.RGN, 0, each) for each in told]
    return b"".join((struct.pack(">H", markers.SOC), *(each.bytes() for each in kept)))


def with_packets(main: bytes, packets: list[bytes]) -> bytes:
    """A codestream of one tile-part behind `main`, with the length of each packet in PLT."""
    plt = b"".join(_plt(packets))
    body = b"".join(packets)
    begin = struct.pack(">HHHIBB", markers.SOT, 10, 0, 14 + len(plt) + len(body), 0, 1)
    return b"".join((main, begin, plt, struct.pack(">H", markers.SOD), body, ENDING))


def _declared(segment: Segment, count: int, what: Declared) -> Segment:
    body = bytearray(segment.body)
    match segment.marker:
        case markers.SIZ:
            body[36::3] = bytes([what.precision - 1 | (0x80 if what.signed else 0)]) * count
        case markers.COD:
            body[4] |= what.transformed
        case markers.QCD | markers.QCC if what.shift:
            lifted = Quantization.read(segment, count)
            if lifted.guard + max(lifted.exponents) - 1 > MOST_PLANES or min(lifted.exponents) <= what.shift:
                raise CodecError("more bit-planes than decoders have", found=f"{lifted}, shift {what.shift}")
            body[-len(lifted.exponents) :] = bytes((each - what.shift) << 3 for each in lifted.exponents)
    return replace(segment, body=bytes(body))


def _with_layers(header: Header, count: int) -> Iterator[Segment]:
    for each in header.segments:
        if each.marker == markers.COD:
            yield replace(each, body=each.body[:2] + struct.pack(">H", count) + each.body[4:])
        elif each.marker not in (markers.TLM, markers.PLM):
            yield each


def _only_part(data: bytes, header: Header) -> TilePart:
    found = {each.marker for each in header.segments}
    if header.coding.order != 0 or found & {markers.POC, markers.PPM}:
        raise CodecError("packets are not in the order of layers")
    part = tile_part(data, header.end)
    if data[header.end + 10 : header.end + 12] != b"\0\1":
        raise CodecError("a codestream has several tile-parts", offset=header.end)
    return part


def _layer_ends(header: Header, part: TilePart) -> tuple[int, ...]:
    """Each layer has as many packets as any other: one for each resolution, component and precinct (clause B.12.1.1)."""
    layers, each = header.coding.layers, len(part.packets) // header.coding.layers
    ends = tuple(accumulate(part.packets, initial=part.body))
    if each == 0 or each * layers != len(part.packets) or ends[-1] != part.end:
        raise CodecError("PLT does not fit layers and tile-part", offset=part.offset, found=len(part.packets))
    return *ends[each:-1:each], part.end + len(ENDING)


def _lengths(packed: bytes) -> Iterator[int]:
    """Seven bits in each byte; the eighth says that more follow (table A.37)."""
    length = 0
    for byte in packed:
        length = length << 7 | byte & 0x7F
        if length >= LONGEST_PACKET:
            raise CodecError("PLT has a packet without end")
        if not byte & 0x80:
            yield length
            length = 0


def _plt(packets: list[bytes]) -> Iterator[bytes]:
    """Table A.36. No length lies in two of them."""
    packed, index = bytearray(), 0
    for packet in [*packets, None]:
        if packed and (packet is None or len(packed) > LONGEST_PLT):
            yield Segment(markers.PLT, 0, bytes([index]) + packed).bytes()
            packed, index = bytearray(), index + 1
        if packet is not None:
            packed += _packed(len(packet))


def _packed(length: int) -> bytes:
    sevens = [length >> shift & 0x7F for shift in range(0, max(1, length.bit_length()), 7)]
    return bytes([*(0x80 | seven for seven in sevens[:0:-1]), sevens[0]])
