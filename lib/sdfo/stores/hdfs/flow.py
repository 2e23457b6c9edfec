"""The client's own stream of a range, the fastest way to it, cut where the reader wants it, with one copy of each byte."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from sdfo.errors import Unavailable
from sdfo.model import Extent

if TYPE_CHECKING:
    from sdfo.stores.hdfs.source import HdfsSource

BATCH = 512 * 1024
"""Bytes of neighbouring extents that are handed over at once: an image of a CT, or several smaller ones."""
_GAP = 64 * 1024
"""Bytes between two extents that are rather read than jumped over: a packet of HDFS."""


class Flow:
    """To be pulled by one thread after the other."""

    def __init__(self, source: HdfsSource, whole: Extent) -> None:
        self._source, self._whole, self._at = source, whole, whole.offset
        self._packets: Iterator[bytes] | None = None
        self._left = memoryview(b"")

    def pull(self, batch: Sequence[Extent], until: float) -> list[bytes]:
        """The bytes of extents that ascend, from where the last pull ended."""
        return [self._pulled(extent) for extent in batch]

    def _pulled(self, extent: Extent) -> bytes:
        for _ in self._pieces(extent.offset - self._at):
            pass
        return b"".join(self._pieces(extent.length))

    def _pieces(self, length: int) -> Iterator[memoryview]:
        """The next `length` bytes."""
        self._at += length
        while length:
            packet = self._left or self._next()
            piece, self._left = packet[:length], packet[length:]
            length -= len(piece)
            yield piece

    def _next(self) -> memoryview:
        if self._packets is None:
            self._packets = self._source.reader().read_range_stream(self._whole.offset, self._whole.length)
        packet = next(self._packets, b"")
        if not packet:
            raise Unavailable("fewer bytes than the file has: it is not closed", path=self._source.path)
        return memoryview(packet)


def runs(extents: Sequence[Extent], most: int) -> Iterator[list[Extent]]:
    """Neighbours that one stream gives; what has more than `most` bytes is alone."""
    run = list[Extent]()
    for extent in extents:
        if run and (extent.length > most or run[-1].length > most or not 0 <= extent.offset - run[-1].end <= _GAP):
            yield run
            run = []
        run.append(extent)
    if run:
        yield run


def batches(run: Sequence[Extent]) -> Iterator[list[Extent]]:
    """A run in pieces of some `BATCH` bytes."""
    batch, size = list[Extent](), 0
    for extent in run:
        batch.append(extent)
        size += extent.length
        if size >= BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def span(batch: Sequence[Extent]) -> Extent:
    """From the first byte to the last."""
    return Extent(batch[0].offset, batch[-1].end - batch[0].offset)


def cut(data: bytes, batch: Sequence[Extent]) -> list[bytes]:
    """The extents out of the bytes of their span."""
    if len(batch) == 1:
        return [data]
    start = batch[0].offset
    return [data[extent.offset - start : extent.end - start] for extent in batch]
