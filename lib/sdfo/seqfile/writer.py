"""Appending records to a SequenceFile (org.apache.hadoop.io.SequenceFile.Writer)."""

from __future__ import annotations

from collections.abc import Iterable

from sdfo.errors import SequenceFileError
from sdfo.seqfile.framing import SYNC_INTERVAL, SYNC_SIZE, Framing, prefix
from sdfo.seqfile.header import encode_header
from sdfo.stores import Sink


class Writer:
    """Writes to `sink`, which stays the caller's to close. `sync`: 16 bytes that occur in no value."""

    def __init__(self, sink: Sink, sync: bytes, interval: int = SYNC_INTERVAL) -> None:
        if len(sync) != SYNC_SIZE:
            raise SequenceFileError("a sync marker of another size", expected=SYNC_SIZE, found=len(sync))
        self._sink, self._sync, self._framing = sink, sync, Framing(interval)

    def begin(self, metadata: Iterable[tuple[bytes, bytes]] = ()) -> None:
        """The header. Call once, first."""
        self._sink.write(encode_header(metadata, self._sync))

    def append(self, key: bytes, value: bytes) -> None:
        """One record; `key` is UTF-8."""
        escaped, _ = self._framing.place(len(key), len(value))
        try:
            before = prefix(key, len(value), self._sync if escaped else None)
        except ValueError as error:
            raise SequenceFileError(str(error), path=self._sink.path, found=len(value)) from error
        self._sink.write(before, value)
