"""Writing: gathered into large pieces, each on its way, by its deadline, while the next is gathered.

After closing the length is looked up.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from sdfo.errors import SdfoError, StoreError, Unavailable
from sdfo.stores.base import CHUNK, Sink

if TYPE_CHECKING:
    from hdfs_native._internal import RawFileWriter

    from sdfo.stores.hdfs.store import HdfsStore

T = TypeVar("T")

_LARGE = 64 * 1024
"""Bytes of a buffer that is handed over as it is; smaller ones are joined. A packet of HDFS."""


class HdfsSink(Sink):
    """HDFS syncs each block to disk as it is finished; `close` returns once the NameNode has the file's last length."""

    def __init__(self, store: HdfsStore, path: str, writer: RawFileWriter) -> None:
        self.path, self._store, self._pid = path, store, os.getpid()
        self._writer: RawFileWriter | None = writer
        self._gathered, self._failed = _Gathered(), False
        self._handed, self._under_way = 0, _nothing

    def write(self, *buffers: bytes | bytearray | memoryview) -> None:
        with self._or_garbage() as writer:
            for buffer in buffers:
                for piece in _pieces(buffer):
                    self._gathered.add(piece)
                    if self._gathered.size >= CHUNK:
                        self._hand_over(writer)

    def sync(self) -> None:
        with self._or_garbage() as writer:
            self._hand_over_all(writer)
            self._call(writer.hsync)

    def close(self) -> None:
        if self._writer is None and not self._failed:
            return
        try:
            with self._or_garbage() as writer:
                self._hand_over_all(writer)
                length = self._call(lambda: self._closed(writer))
                if length != self._handed:
                    raise Unavailable(
                        "another length than was written", path=self.path, expected=self._handed, found=length
                    )
        finally:
            self._writer = None

    def _closed(self, writer: RawFileWriter) -> int:
        """Close; the length that the NameNode knows of after that."""
        writer.close()
        return self._store.client.get_file_info(self._store.at(self.path)).length

    def abandon(self) -> None:
        self._writer = None  # the client then lets go of the lease; the file stays, for `gc`

    def _hand_over(self, writer: RawFileWriter) -> None:
        """What was gathered, after what is still under way: one call at a time."""
        gathered, self._gathered = self._gathered, _Gathered()
        self._under_way()
        self._under_way = self._store.begun(self.path, lambda: gathered.write_to(writer), namenode=False)
        self._handed += gathered.size

    def _hand_over_all(self, writer: RawFileWriter) -> None:
        if self._gathered.size:
            self._hand_over(writer)
        self._under_way()
        self._under_way = _nothing

    def _call(self, work: Callable[[], T]) -> T:
        return self._store.call(self.path, work, namenode=False)

    @contextmanager
    def _or_garbage(self) -> Iterator[RawFileWriter]:
        """An error in here is the last word on this file."""
        if self._failed:
            raise Unavailable("an earlier write failed: this attempt is garbage", path=self.path)
        if self._writer is None:
            raise StoreError("the file is closed", path=self.path)
        if self._pid != os.getpid():
            raise StoreError("a file being written does not cross a fork", path=self.path)
        try:
            yield self._writer
        except SdfoError:
            self._failed, self._writer = True, None
            raise


class _Gathered:
    """Pieces for one call. `bytes`, for the client takes ten times as long with a memoryview."""

    def __init__(self) -> None:
        self.size = 0
        self._pieces, self._small = list[bytes](), bytearray()

    def add(self, piece: bytes | memoryview) -> None:
        self.size += len(piece)
        if isinstance(piece, bytes) and len(piece) >= _LARGE:
            self._pieces += [bytes(self._small), piece] if self._small else [piece]
            self._small = bytearray()
        else:
            self._small += piece

    def write_to(self, writer: RawFileWriter) -> None:
        for piece in (*self._pieces, bytes(self._small)):
            if piece:
                writer.write(piece)


def _pieces(buffer: bytes | bytearray | memoryview) -> Sequence[bytes | memoryview]:
    """Of at most `CHUNK` bytes, so that each is written by the deadline. No copy of what is `bytes` and not too long."""
    if isinstance(buffer, bytes) and len(buffer) <= CHUNK:
        return [buffer]
    view = memoryview(buffer)
    if view.nbytes == 0:
        return []
    view = view.cast("B")
    return [bytes(view[at : at + CHUNK]) for at in range(0, view.nbytes, CHUNK)]


def _nothing() -> None:
    """Nothing is under way."""
