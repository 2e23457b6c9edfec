"""Packets: what of each code-block lies in which layer (ISO 15444-1 clause B.10), read and written anew.

For codestreams of one tile and one precinct, in the order of layers, without terminated passes and extra markers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from sdfo.errors import CodecError
from sdfo.jpeg2000.tagtree import BitReader, BitWriter, TagTree

FIRST_LENGTH_BITS = 3
"""Lblock at first (clause B.10.7.1)."""
MOST_PLANES = 64
"""More than any band has: a bound for what a damaged header says."""


@dataclass(slots=True)
class Piece:
    """What one layer has of a code-block: coding passes and the bytes for them."""

    passes: int
    data: bytes


@dataclass(slots=True)
class Block:
    """`missing`: bit-planes above its first one. `pieces`: by layer."""

    missing: int = 0
    pieces: dict[int, Piece] = field(default_factory=dict)


@dataclass(slots=True)
class Band:
    """Code-blocks row by row; a band without any is left out everywhere."""

    rows: int
    columns: int
    blocks: list[Block]

    @classmethod
    def empty(cls, rows: int, columns: int) -> Band:
        return cls(rows, columns, [Block() for _ in range(rows * columns)])


Precinct = list[Band]
"""The bands of one resolution of one component."""


def read(data: bytes, offset: int, precincts: list[Precinct], layers: int) -> int:
    """Fill the precincts, in the order of their packets, from `offset` on. Gives where the packets end."""
    states = [[_State(band) for band in bands if band.blocks] for bands in precincts]
    for layer in range(layers):
        for state in states:
            offset = _read_packet(data, offset, state, layer)
    return offset


def write(precincts: list[Precinct], layers: int) -> Iterator[bytes]:
    """Packet after packet, layer by layer."""
    states = [[_State(band, told=True) for band in bands if band.blocks] for bands in precincts]
    for layer in range(layers):
        for state in states:
            yield _packet(state, layer)


class _State:
    """Of one band, what earlier packets said."""

    def __init__(self, band: Band, *, told: bool = False) -> None:
        self.blocks = band.blocks
        self.length_bits = [FIRST_LENGTH_BITS] * len(band.blocks)
        self.begun = [False] * len(band.blocks)
        firsts = [min(each.pieces, default=1 << 16) for each in band.blocks] if told else None
        missing = [each.missing for each in band.blocks] if told else None
        self.included = TagTree(band.rows, band.columns, firsts)
        self.missing = TagTree(band.rows, band.columns, missing)


def _read_packet(data: bytes, offset: int, states: list[_State], layer: int) -> int:
    bits = BitReader(data, offset)
    expected: list[tuple[Block, int, int]] = []
    if bits.take(1):
        for state in states:
            expected += _read_band(bits, state, layer)
    offset = bits.end()
    for block, passes, length in expected:
        if offset + length > len(data):
            raise CodecError("a packet ends too soon", offset=offset)
        block.pieces[layer] = Piece(passes, data[offset : offset + length])
        offset += length
    return offset


def _read_band(bits: BitReader, state: _State, layer: int) -> Iterator[tuple[Block, int, int]]:
    for index, block in enumerate(state.blocks):
        if state.begun[index]:
            if not bits.take(1):
                continue
        elif state.included.read(bits, index, layer + 1):
            state.begun[index] = True
            block.missing = state.missing.read_value(bits, index, MOST_PLANES)
        else:
            continue
        passes = _read_passes(bits)
        state.length_bits[index] += bits.ones(32)
        yield block, passes, bits.take(state.length_bits[index] + passes.bit_length() - 1)


def _read_passes(bits: BitReader) -> int:
    """Table B.4."""
    ones = bits.ones(2)
    if ones < 2:
        return 1 + ones
    if (more := bits.take(2)) < 3:
        return 3 + more
    if (more := bits.take(5)) < 31:
        return 6 + more
    return 37 + bits.take(7)


def _write_passes(bits: BitWriter, passes: int) -> None:
    if passes <= 2:
        bits.put((0, 0b10)[passes - 1], passes)
    elif passes <= 5:
        bits.put(0b1100 | passes - 3, 4)
    elif passes <= 36:
        bits.put(0b1111 << 5 | passes - 6, 9)
    else:
        bits.put(0b111111111 << 7 | passes - 37, 16)


def _packet(states: list[_State], layer: int) -> bytes:
    bits, data = BitWriter(), list[bytes]()
    if not any(layer in block.pieces for state in states for block in state.blocks):
        return b"\0"
    bits.put(1, 1)
    for state in states:
        data += _write_band(bits, state, layer)
    return b"".join((bits.bytes(), *data))


def _write_band(bits: BitWriter, state: _State, layer: int) -> Iterable[bytes]:
    found = []
    for index, block in enumerate(state.blocks):
        piece = block.pieces.get(layer)
        if state.begun[index]:
            bits.put(piece is not None, 1)
        else:
            state.included.write(bits, index, layer + 1)
        if piece is None:
            continue
        if not state.begun[index]:
            state.begun[index] = True
            state.missing.write_value(bits, index)
        _write_passes(bits, piece.passes)
        _write_length(bits, state, index, piece)
        found.append(piece.data)
    return found


def _write_length(bits: BitWriter, state: _State, index: int, piece: Piece) -> None:
    """As many bits as Lblock and the passes give (equation B-19); Lblock grows by the ones in front."""
    grown = piece.passes.bit_length() - 1
    more = max(0, len(piece.data).bit_length() - state.length_bits[index] - grown)
    state.length_bits[index] += more
    bits.put((1 << more) - 1 << 1, more + 1)
    bits.put(len(piece.data), state.length_bits[index] + grown)
