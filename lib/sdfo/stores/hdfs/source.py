"""Reading: in large pieces, each with its deadline, the next one on its way while one is used.

A piece that is late is asked for in two more ways: by a client with little patience, which soon goes on to the next node,
and by WebHDFS. While a node is known to hang, the client with little patience is asked first.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from hdfs_native import FileReader

from sdfo.errors import Missing, OutOfRange, StoreError, Unavailable
from sdfo.model import Extent
from sdfo.stores.base import CHUNK, Source
from sdfo.stores.hdfs import around, clients
from sdfo.stores.hdfs.around import Identity
from sdfo.stores.hdfs.flow import Flow, batches, cut, runs, span
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
            return self._begun([Extent(offset, length)]).result()[0] if length else b""
        return b"".join(self.stream(offset, length, PIECE))

    def stream(self, offset: int = 0, length: int | None = None, chunk: int = CHUNK) -> Iterator[bytes]:
        whole = Extent(offset, self.size - offset if length is None else length)
        self._check(whole.offset, whole.length)
        pieces = ([Extent(at, min(chunk, whole.end - at))] for at in range(whole.offset, whole.end, chunk))
        yield from self._flowing(whole, pieces)

    def each(self, extents: Sequence[Extent]) -> Iterator[bytes]:
        for extent in extents:
            self._check(extent.offset, extent.length)
        for run in runs(extents, PIECE):
            if len(run) == 1:
                yield self.read(run[0].offset, run[0].length)
            else:
                yield from self._flowing(span(run), batches(run))

    def _flowing(self, whole: Extent, batches: Iterator[Sequence[Extent]]) -> Iterator[bytes]:
        """Batches of extents that ascend in `whole`, the next one on its way while one is used."""
        flow: Flow | None = Flow(self, whole)
        read = self._next(batches, flow)
        while read is not None:
            pieces = read.result()
            if read.overtaken or wary():
                flow = None  # somebody may still be waiting in it; or it was passed by, and would have to catch up
            read = self._next(batches, flow)
            yield from pieces

    def _next(self, batches: Iterator[Sequence[Extent]], flow: Flow | None) -> Read[list[bytes]] | None:
        for batch in batches:
            return self._begun(batch, partial(flow.pull, batch) if flow else None)
        return None

    def _check(self, offset: int, length: int) -> None:
        """The client panics where a read leaves the file."""
        if self._closed:
            raise StoreError("the file is closed", path=self.path)
        if offset < 0 or length < 0 or offset + length > self.size:
            raise OutOfRange(
                "read beyond the end", path=self.path, offset=offset, expected=length, found=self.size - offset
            )

    def _begun(self, batch: Sequence[Extent], first: Way[list[bytes]] | None = None) -> Read[list[bytes]]:
        """`first`: the way to try first, rather than a positioned read of the client's."""
        if self._pid != os.getpid():  # forked since: the parent's readers would hang here
            self._readers, self._pid = {}, os.getpid()
        clients.await_readable()
        patient, hasty = partial(self._native, _PATIENT, batch), partial(self._native, _HASTY, batch)
        other, deadline = partial(self._around, batch), self._store.deadline
        if wary():
            return Read(self.path, deadline, _WARY_PATIENCE, hasty, (patient, hasty, other))
        return Read(self.path, deadline, deadline * _PATIENCE, first or patient, (patient, hasty, other))

    def _native(self, kind: str, batch: Sequence[Extent], until: float) -> list[bytes]:
        whole = span(batch)
        try:
            data = self.reader(kind).read_range(whole.offset, whole.length)
        except BaseException:  # noqa: BLE001 a panic too. The blocks may lie elsewhere by now: look again
            self._readers.pop(kind, None)
            data = self.reader(kind).read_range(whole.offset, whole.length)
        if len(data) != whole.length:
            raise Unavailable("fewer bytes than the file has: it is not closed", path=self.path, offset=whole.offset)
        return cut(data, batch)

    def _around(self, batch: Sequence[Extent], until: float) -> list[bytes]:
        whole = span(batch)
        return cut(around.read(self._store.url, self._file, whole.offset, whole.length, until), batch)

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
