"""Packet headers, tag trees and the division into layers."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdfo.errors import CodecError
from sdfo.jpeg2000 import codestream, openjpeg, packets, wavelet
from sdfo.jpeg2000.packets import Band, Block, Piece
from sdfo.jpeg2000.tagtree import BitReader, BitWriter, TagTree
from sdfo.testing.images import image

PIECES = st.builds(Piece, st.integers(1, 164), st.integers(0, 900).map(bytes))
BLOCKS = st.builds(Block, st.integers(0, 40), st.dictionaries(st.integers(0, 3), PIECES, max_size=4))


@st.composite
def _bands(draw):
    rows, columns = draw(st.integers(0, 4)), draw(st.integers(0, 4))
    return Band(rows, columns, draw(st.lists(BLOCKS, min_size=rows * columns, max_size=rows * columns)))


@settings(max_examples=50)
@given(precincts=st.lists(st.lists(_bands(), min_size=1, max_size=3), min_size=1, max_size=3))
def test_what_is_written_is_read(precincts):
    """Any blocks, in any layers, of any number of passes and bytes."""
    data = b"".join(packets.write(precincts, 4))
    found = [[Band.empty(band.rows, band.columns) for band in bands] for bands in precincts]
    assert packets.read(data + b"rest", 0, found, 4) == len(data)
    for bands, others in zip(precincts, found, strict=True):
        for band, other in zip(bands, others, strict=True):
            for block, read in zip(band.blocks, other.blocks, strict=True):
                assert (block.missing if block.pieces else 0, block.pieces) == (read.missing, read.pieces)


@given(data=st.binary(max_size=60), seed=st.integers(0, 1 << 30))
def test_any_packets(data, seed):
    """Noise is read, or refused by a CodecError."""
    empty = [[Band.empty(1 + seed % 3, 2)] for _ in range(2)]
    try:
        packets.read(data, 0, empty, 3)
    except CodecError:
        return


def test_openjpegs_own_packets():
    """Read and written again, they are the same bytes: the outside judge of this reader and writer."""
    for size, layers in (((300, 200), (9, 13)), ((129, 257), (10, 11, 13)), ((64, 64), (13,))):
        given, levels = image(size, 12, kind="noise"), wavelet.levels_of(size)
        coded = openjpeg.encode(given.planes(), openjpeg.Layout(13, levels, layers))
        part = codestream.tile_part(coded, codestream.read(coded).end)
        precincts = [
            [Band.empty(-(-band.rows // 64), -(-band.columns // 64)) for band in bands]
            for bands in wavelet.resolutions(size, levels)
        ]
        assert packets.read(coded, part.body, precincts, len(layers)) == part.end
        assert b"".join(packets.write(precincts, len(layers))) == coded[part.body : part.end]


@given(rows=st.integers(1, 6), columns=st.integers(1, 6), seed=st.integers(0, 1 << 30))
def test_tag_tree(rows, columns, seed):
    """Values asked for in steps and at once are the ones that were told."""
    values = np.random.default_rng(seed).integers(0, 9, rows * columns).tolist()
    for at_once in (False, True):
        bits, tree = BitWriter(), TagTree(rows, columns, values)
        for leaf in range(len(values)):
            tree.write_value(bits, leaf) if at_once else [tree.write(bits, leaf, below) for below in range(11)]
        bits.put(1, 1)
        reader, read = BitReader(bits.bytes(), 0), TagTree(rows, columns)
        for leaf, value in enumerate(values):
            if at_once:
                assert [read.read(reader, leaf, below) for below in range(11)] == [value < b for b in range(11)]
            else:
                assert read.read_value(reader, leaf, 9) == value


@given(bits=st.lists(st.sampled_from((0, 1, 1, 1, 1, 1, 1, 1)), min_size=1, max_size=99))
def test_stuffed_bits(bits):
    """No byte above 0x8F follows 0xFF, and none is left as the last."""
    writer = BitWriter()
    for bit in bits:
        writer.put(bit, 1)
    data = writer.bytes()
    assert all(after < 0x90 for before, after in pairwise(data) if before == 0xFF)
    assert data[-1] != 0xFF
    reader = BitReader(data, 0)
    assert [reader.take(1) for _ in bits] == bits
    assert reader.end() == len(data)


def test_a_number_without_end():
    """Zeros only: refused, not counted for ever."""
    with pytest.raises(CodecError):
        TagTree(1, 1).read_value(BitReader(bytes(99), 0), 0, 64)
