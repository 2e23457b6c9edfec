"""Writing: gathered into large pieces, each handed over with a deadline; after closing the length is looked up."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from sdfo.errors import SdfoError, StoreError, Unavailable
from sdfo.stores.base import CHUNK, Sink

if TYPE_CHECKING:
    from hdfs_native._internal import RawFileWriter

    from sdfo.stores.hdfs.store import HdfsStore

T = TypeVar("T")


class HdfsSink(Sink):
    """HDFS syncs each block to disk as it is finished; `close` returns once the NameNode has the file's last length."""

    def __init__(self, store: HdfsStore, path: str, writer: RawFileWriter) -> None:
        self.path, self._store, self._pid = path, store, os.getpid()
        self._writer: RawFileWriter | None = writer
        self._pending, self._handed, self._failed = bytearray(), 0, False

    def write(self, *buffers: bytes | bytearray | memoryview) -> None:
        with self._or_garbage() as writer:
            for view in (memoryview(buffer).cast("B") for buffer in buffers if memoryview(buffer).nbytes):
                for at in range(0, view.nbytes, CHUNK):
                    self._pending += view[at : at + CHUNK]
                    if len(self._pending) >= CHUNK:
                        self._hand_over(writer)

    def sync(self) -> None:
        with self._or_garbage() as writer:
            self._hand_over(writer)
            self._call(writer.hsync)

    def close(self) -> None:
        if self._writer is None and not self._failed:
            return
        try:
            with self._or_garbage() as writer:
                self._hand_over(writer)
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
        if self._pending:
            piece, self._pending = self._pending, bytearray()
            self._call(lambda: writer.write(piece))
            self._handed += len(piece)

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
