"""Reading: in large pieces, each with its deadline, the next one on its way while one is used.

A piece that is late is asked for in two more ways: by a client with little patience, which soon goes on to the next node,
and by WebHDFS. While a node is known to hang, the client with little patience is asked first.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from hdfs_native import FileReader

from sdfo.errors import Missing, OutOfRange, StoreError, Unavailable
from sdfo.stores.base import CHUNK, Source
from sdfo.stores.hdfs import around, clients
from sdfo.stores.hdfs.around import Identity
from sdfo.stores.hdfs.reads import Read, Way, wary

if TYPE_CHECKING:
    from sdfo.stores.hdfs.store import HdfsStore

PIECE = 2 * CHUNK
"""Bytes asked for in one call."""
_PATIENCE = 0.1
"""Share of the deadline after which a piece is asked for in other ways as well."""
_WARY_PATIENCE = 0.6
"""The same in seconds, while a node is known to hang."""
_PATIENT, _HASTY = "patient", "hasty"


class HdfsSource(Source):
    """Which file it is was settled by `open`: whatever happens to its name, another file's bytes are never given."""

    def __init__(self, store: HdfsStore, file: Identity, path: str, reader: FileReader) -> None:
        self.path, self.size = path, file.size
        self._store, self._file = store, file
        self._readers, self._pid = {_PATIENT: reader}, os.getpid()
        self._closed = False

    def read(self, offset: int, length: int) -> bytes:
        self._check(offset, length)
        if length <= PIECE:
            return self._begun(offset, length).result() if length else b""
        return b"".join(self.stream(offset, length, PIECE))

    def stream(self, offset: int = 0, length: int | None = None, chunk: int = CHUNK) -> Iterator[bytes]:
        length = self.size - offset if length is None else length
        self._check(offset, length)
        spans = iter([(at, min(chunk, offset + length - at)) for at in range(offset, offset + length, chunk)])
        flow: _Flow | None = _Flow(self, offset, length)
        read = self._next(spans, flow)
        while read is not None:
            data = read.result()
            if read.overtaken:
                flow = None  # somebody may still be waiting in it
            read = self._next(spans, flow)
            yield data

    def _next(self, spans: Iterator[tuple[int, int]], flow: _Flow | None) -> Read | None:
        for at, length in spans:
            return self._begun(at, length, partial(flow.pull, length) if flow else None)
        return None

    def _check(self, offset: int, length: int) -> None:
        """The client panics where a read leaves the file."""
        if self._closed:
            raise StoreError("the file is closed", path=self.path)
        if offset < 0 or length < 0 or offset + length > self.size:
            raise OutOfRange(
                "read beyond the end", path=self.path, offset=offset, expected=length, found=self.size - offset
            )

    def _begun(self, offset: int, length: int, first: Way | None = None) -> Read:
        """`first`: the way to try first, rather than a positioned read of the client's."""
        if self._pid != os.getpid():  # forked since: the parent's readers would hang here
            self._readers, self._pid = {}, os.getpid()
        clients.await_readable()
        patient, hasty = partial(self._native, _PATIENT, offset, length), partial(self._native, _HASTY, offset, length)
        other = partial(around.read, self._store.url, self._file, offset, length)
        deadline = self._store.deadline
        if wary():
            return Read(self.path, deadline, _WARY_PATIENCE, hasty, (patient, hasty, other))
        return Read(self.path, deadline, deadline * _PATIENCE, first or patient, (patient, hasty, other))

    def _native(self, kind: str, offset: int, length: int, until: float) -> bytes:
        try:
            data = self.reader(kind).read_range(offset, length)
        except BaseException:  # noqa: BLE001 a panic too. The blocks may lie elsewhere by now: look again
            self._readers.pop(kind, None)
            data = self.reader(kind).read_range(offset, length)
        if len(data) != length:
            raise Unavailable("fewer bytes than the file has: it is not closed", path=self.path, offset=offset)
        return data

    def reader(self, kind: str = _PATIENT) -> FileReader:
        """The client's; `Missing` if it has to be opened again and another file lies there."""
        reader = self._readers.get(kind)
        if reader is None:
            client = self._store.hasty_client if kind == _HASTY else self._store.client
            reader, status = client.read(self._file.path), client.get_file_info(self._file.path)
            if (status.length, status.modification_time, len(reader)) != (self.size, self._file.modified, self.size):
                raise Missing("another file lies there now", path=self.path)
            self._readers[kind] = reader
        return reader

    def close(self) -> None:
        self._closed = True


class _Flow:
    """The client's own stream of a range, the fastest way to it. To be pulled by one thread after the other."""

    def __init__(self, source: HdfsSource, offset: int, length: int) -> None:
        self._source, self._offset, self._length = source, offset, length
        self._packets: Iterator[bytes] | None = None
        self._left = b""

    def pull(self, length: int, until: float) -> bytes:
        """The next `length` bytes."""
        if self._packets is None:
            self._packets = self._source.reader().read_range_stream(self._offset, self._length)
        parts = list[bytes]()
        while length:
            packet = self._left or next(self._packets, b"")
            if not packet:
                raise Unavailable("fewer bytes than the file has: it is not closed", path=self._source.path)
            parts.append(packet[:length])
            self._left = packet[length:]
            length -= len(parts[-1])
        return b"".join(parts)
