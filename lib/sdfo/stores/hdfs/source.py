"""Reading: in large pieces, each with its deadline, the next one begun before the last is used."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from hdfs_native import FileReader

from sdfo.errors import Missing, OutOfRange, StoreError, Unavailable
from sdfo.stores.base import CHUNK, Source
from sdfo.stores.hdfs import around, clients
from sdfo.stores.hdfs.answers import translated
from sdfo.stores.hdfs.around import Identity
from sdfo.stores.hdfs.calls import Failed, Late, Race

if TYPE_CHECKING:
    from sdfo.stores.hdfs.store import HdfsStore

PIECE = 2 * CHUNK
"""Bytes asked for in one call."""
_PATIENCE = 0.1
"""Share of the deadline after which another way is tried beside the client's own."""
_WARY_PATIENCE, _WARY_SECONDS = 0.1, 60.0
"""Seconds of patience while a node is known to hang, and for how long that is remembered: Hadoop itself may need minutes."""

_wary_until = 0.0


class HdfsSource(Source):
    """Which file it is was settled by `open`: whatever happens to its name, another file's bytes are never given."""

    def __init__(self, store: HdfsStore, file: Identity, path: str, reader: FileReader) -> None:
        self.path, self.size = path, file.size
        self._store, self._file, self._reader, self._pid = store, file, reader, os.getpid()
        self._closed = False

    def read(self, offset: int, length: int) -> bytes:
        self._check(offset, length)
        if length <= PIECE:
            return self._begun(offset, length).result() if length else b""
        return b"".join(self.stream(offset, length, PIECE))

    def stream(self, offset: int = 0, length: int | None = None, chunk: int = CHUNK) -> Iterator[bytes]:
        length = self.size - offset if length is None else length
        self._check(offset, length)
        ahead: _Read | None = None
        for at in range(offset, offset + length, chunk):
            before, ahead = ahead, self._begun(at, min(chunk, offset + length - at))
            if before is not None:
                yield before.result()
        if ahead is not None:
            yield ahead.result()

    def _check(self, offset: int, length: int) -> None:
        """The client panics where a read leaves the file."""
        if self._closed:
            raise StoreError("the file is closed", path=self.path)
        if offset < 0 or length < 0 or offset + length > self.size:
            raise OutOfRange(
                "read beyond the end", path=self.path, offset=offset, expected=length, found=self.size - offset
            )

    def _begun(self, offset: int, length: int) -> _Read:
        if self._pid != os.getpid():  # forked since: the parent's reader would hang here
            self._reader, self._pid = self._store.call(self.path, self._fresh), os.getpid()
        ways = (
            partial(self._native, offset, length),
            partial(around.read, self._store.url, self._file, offset, length),
        )
        return _Read(self.path, self._store.deadline, *ways)

    def _native(self, offset: int, length: int) -> bytes:
        clients.await_readable()
        try:
            data = self._reader.read_range(offset, length)
        except BaseException:  # noqa: BLE001 a panic too; the blocks may lie elsewhere by now: look once more
            self._reader = self._fresh()
            data = self._reader.read_range(offset, length)
        if len(data) != length:
            raise Unavailable("fewer bytes than the file has: it is not closed", path=self.path, offset=offset)
        return data

    def _fresh(self) -> FileReader:
        """The same file, opened again; `Missing` if it is not there under its name."""
        client = self._store.client
        reader, status = client.read(self._file.path), client.get_file_info(self._file.path)
        if (status.length, status.modification_time, len(reader)) != (self.size, self._file.modified, self.size):
            raise Missing("another file lies there now", path=self.path)
        return reader

    def close(self) -> None:
        self._closed = True


class _Read:
    """One piece, on its way since it was constructed."""

    def __init__(
        self, path: str, deadline: float, native: Callable[[], bytes], other: Callable[[float], bytes]
    ) -> None:
        self._path, self._deadline, self._other = path, deadline, other
        self._race = Race[bytes]()
        self._race.begin(native, "native")

    def result(self) -> bytes:
        """By the deadline. Another way is tried as well when the client fails, or lets us wait."""
        global _wary_until
        until = self._race.began + self._deadline
        wary = time.monotonic() < _wary_until
        patience = _WARY_PATIENCE if wary else self._deadline * _PATIENCE
        try:
            return self._race.first(self._race.began + patience)[0]
        except Late:
            hangs = True
        except Failed:
            hangs = False
            refused = translated(self._race.failures[0], self._path)
            if not isinstance(refused, Unavailable):
                raise refused from self._race.failures[0]
        self._race.begin(lambda: self._other(until), "other")
        try:
            data, way = self._race.first(until)
        except (Late, Failed) as error:
            cause = self._race.failures[0] if self._race.failures else error
            raise translated(cause, self._path, late=self._deadline) from cause
        if hangs and way == "other":
            _wary_until = time.monotonic() + _WARY_SECONDS
        return data
