"""The heads of an S-DICOM file: zstandard blocks in base64 (docs/format.md).

Neighbouring slices share almost all of their heads, so many are compressed together; one image's head must not cost
unpacking them all, so a block ends after 1 MiB.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

import zstandard

from sdfo.ahead import ahead
from sdfo.errors import HeaderMismatch, SdicomError

BLOCK = 1024 * 1024
"""Plain bytes after which the next record's head begins a new block."""
LEVEL = 9
"""zstandard's. The same bytes come out for one version of the library; sdicom.check does not depend on them."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record's head and tail stand: in plain bytes, in a block."""

    block: int
    start: int
    size: int


def places(sizes: Iterable[int | None]) -> Iterator[Place | None]:
    """For each record's head size, in record order, its place; None for a record that has none."""
    block, filled = -1, BLOCK
    for size in sizes:
        if size is None:
            yield None
            continue
        if filled >= BLOCK:
            block, filled = block + 1, 0
        yield Place(block, filled, size)
        filled += size


@dataclass(frozen=True, slots=True)
class Packed:
    """`text` is the value of `sdicom.heads`; `sha256` is over the plain bytes."""

    text: bytes
    sha256: str


def pack(sizes: Iterable[int | None], heads: Iterable[bytes], threads: int = 1) -> Packed:
    """`heads` gives head and tail, as one piece, of each record that has a size; a block of them is let go at once."""
    digest, given = hashlib.sha256(), iter(heads)
    held = (place for place in places(sizes) if place)
    plain = (_taken(group, given, digest) for _, group in groupby(held, attrgetter("block")))
    with ahead(_block, plain, threads) as packed:
        blocks = list(packed)
    if next(given, None) is not None:
        raise SdicomError("more heads than records that have one")
    return Packed(b".".join(blocks), digest.hexdigest())


def _taken(group: Iterable[Place], given: Iterator[bytes], digest: hashlib._Hash) -> list[bytes]:
    """The plain heads of one block."""
    block = list[bytes]()
    for place in group:
        raw = next(given, None)
        if raw is None or len(raw) != place.size:
            found = "no more" if raw is None else len(raw)
            raise SdicomError("a head of another length than its record says", expected=place.size, found=found)
        digest.update(raw)
        block.append(raw)
    return block


def _block(heads: Iterable[bytes]) -> bytes:
    """One block. A fresh compressor, so that none depends on what was compressed before it."""
    compressor = zstandard.ZstdCompressor(level=LEVEL).compressobj()
    return base64.b64encode(b"".join(map(compressor.compress, heads)) + compressor.flush())


class Heads:
    """Unpacks the value of `sdicom.heads`, one block at a time. `sizes`: of each record, as in `places`."""

    def __init__(self, sizes: Iterable[int | None], text: bytes, path: str) -> None:
        self._places, self._path = list(places(sizes)), path
        self._blocks = text.split(b".") if text else []
        self._plain = [0] * (1 + max((place.block for place in self._places if place), default=-1))
        for place in filter(None, self._places):
            self._plain[place.block] += place.size
        if len(self._blocks) != len(self._plain):
            raise HeaderMismatch(
                "number of heads blocks", path=path, expected=len(self._plain), found=len(self._blocks)
            )
        self._last: tuple[int, bytes] = (-1, b"")

    def of(self, number: int) -> bytes | None:
        """Head and tail of the record at `number` of the index, one after the other; None if it has none."""
        place = self._places[number]
        return None if place is None else self._unpacked(place.block)[place.start : place.start + place.size]

    def all(self) -> Iterator[tuple[int, bytes]]:
        """Each record that has a head: its number, and head and tail."""
        for number, place in enumerate(self._places):
            if place is not None:
                yield number, self._unpacked(place.block)[place.start : place.start + place.size]

    def sha256(self) -> str:
        """Over all plain bytes, in order."""
        digest = hashlib.sha256()
        for block in range(len(self._blocks)):
            digest.update(self._unpacked(block))
        return digest.hexdigest()

    def _unpacked(self, block: int) -> bytes:
        number, plain = self._last
        if number != block:
            plain = self._unpack(block)
            self._last = block, plain  # one assignment: another thread sees the pair or the one before
        return plain

    def _unpack(self, block: int) -> bytes:
        """Reads one byte more than expected and no further: a block that claims gigabytes costs nothing."""
        expected = self._plain[block]
        try:
            packed = base64.b64decode(self._blocks[block], validate=True)
            plain = zstandard.ZstdDecompressor().stream_reader(packed).read(expected + 1)
        except (ValueError, zstandard.ZstdError) as error:
            raise HeaderMismatch("a heads block cannot be unpacked", path=self._path, found=f"block {block}") from error
        if len(plain) != expected:
            raise HeaderMismatch("length of a heads block", path=self._path, expected=expected, found=len(plain))
        return plain
