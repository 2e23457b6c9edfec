"""OpenJPEG's packets in the layers where they belong.

It fills layers by bit-planes, the same number for each code-block, and tells how many bytes that takes without ending a
coding pass there: too few, in two regions of five. With each pass ended it writes beyond its buffers, and 9 % more. So what
it wrote is divided anew: no byte of a coding pass changes.
"""

from __future__ import annotations

from collections.abc import Iterator

from sdfo.errors import CodecError
from sdfo.jpeg2000 import codestream, packets
from sdfo.jpeg2000.codestream import Declared
from sdfo.jpeg2000.maxshift import Lifted
from sdfo.jpeg2000.packets import Band, Block, Piece

SPARE = 4
"""Bytes that a layer gets beyond OpenJPEG's reckoning. One is enough in every image seen; the decoder's registers hold
four (ISO 15444-1 figure C.20)."""


def region_first(coded: bytes, lifted: Lifted, told: Declared) -> bytes:
    """The codestream again, under the header that is `told`, with all of the region in the first layer."""
    header = codestream.read(coded)
    part = codestream.tile_part(coded, header.end)
    precincts = [[Band.empty(*choice.shape) for choice in bands] for bands in lifted.ahead]
    layers = header.coding.layers
    if packets.read(coded, part.body, precincts, layers) != part.end:
        raise CodecError("packets do not fill their tile-part", offset=part.body)
    for bands, choices in zip(precincts, lifted.ahead, strict=True):
        for band, choice in zip(bands, choices, strict=True):
            for block, ahead in zip(band.blocks, choice.flat, strict=True):
                _divide(block, lifted.shift if ahead else 0)
    return codestream.with_packets(codestream.declare(header, told), list(packets.write(precincts, layers)))


def _divide(block: Block, shift: int) -> None:
    if not block.pieces:
        return
    if shift:
        block.missing -= shift
        block.pieces = {0: Piece(sum(each.passes for each in block.pieces.values()), _data(block))}
    elif len(block.pieces) > 1:
        block.pieces = dict(_with_spare(block))


def _data(block: Block) -> bytes:
    return b"".join(each.data for each in block.pieces.values())


def _with_spare(block: Block) -> Iterator[tuple[int, Piece]]:
    """Each piece ends some bytes later. None ends in 0xFF: what follows might make it a marker. Passes for which no bytes
    are left go with those before."""
    data, end, taken = _data(block), 0, 0
    pieces = list(block.pieces.items())
    while pieces:
        layer, piece = pieces.pop(0)
        end += len(piece.data)
        until, passes = end + SPARE, piece.passes
        if until < len(data) and data[until - 1] == 0xFF:
            until += 1
        if not pieces or until >= len(data):
            until = len(data)
            passes += sum(each.passes for _, each in pieces)
            pieces = []
        yield layer, Piece(passes, data[taken:until])
        taken = until
