"""Reading a SequenceFile, whole or by split (org.apache.hadoop.io.SequenceFile.Reader,
org.apache.hadoop.mapreduce.lib.input.SequenceFileRecordReader)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sdfo.errors import SequenceFileError, SequenceFileTruncated
from sdfo.model import Extent
from sdfo.seqfile.framing import ESCAPE, ESCAPE_SIZE, SYNC_SIZE
from sdfo.seqfile.header import Header, read_header
from sdfo.seqfile.window import Window
from sdfo.stores import CHUNK, Source

_KEYS_AHEAD = 4 * 1024
"""Read ahead where values are skipped: a key and its lengths, and little of the value after it."""
_SCAN = 1024 * 1024
"""Bytes searched for a sync marker at once."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A record: where it begins (at its escape if it has one), its key's UTF-8, and where its value's content lies."""

    position: int
    escaped: bool
    key: bytes
    value: Extent


class Reader:
    """Reads `source`, which stays the caller's to close. Every error carries path and offset."""

    def __init__(self, source: Source, header: Header) -> None:
        self.source, self.header = source, header

    @classmethod
    def open(cls, source: Source) -> Reader:
        return cls(source, read_header(source))

    def metadata(self) -> dict[str, bytes]:
        """Every pair of the header, values read."""
        window = Window(self.source, 0)
        return {key: window.read(place.offset, place.length) for key, place in self.header.metadata}

    def entries(self, start: int = 0, end: int | None = None) -> Iterator[Entry]:
        """The records of the split [start, end); values are skipped by their length."""
        return self._entries(Window(self.source, _KEYS_AHEAD), start, end)

    def items(self, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Key and value of each record of the split [start, end), read in pieces of 4 MiB."""
        window = Window(self.source, CHUNK)
        for entry in self._entries(window, start, end):
            yield entry.key, window.read(entry.value.offset, entry.value.length)

    def value(self, entry: Entry) -> bytes:
        return Window(self.source, 0).read(entry.value.offset, entry.value.length)

    def sync(self, position: int) -> int:
        """SequenceFile.Reader.sync: the first escape at or after `position`.

        The first record if `position` lies in the header; the end if no further escape has something after it.
        """
        if position < self.header.end:
            return self.header.end
        marker, size = self.header.sync, self.source.size
        at = position + 4  # an escape at `position` has its marker here
        while at + SYNC_SIZE < size:  # a marker that ends the file begins nothing
            piece = self.source.read(at, min(_SCAN, size - 1 - at))
            found = piece.find(marker)
            if found >= 0:
                return at + found - 4
            at += len(piece) - SYNC_SIZE + 1
        return size

    def _entries(self, window: Window, start: int, end: int | None) -> Iterator[Entry]:
        """SequenceFileRecordReader: a split owns the records up to the first escape at or after its end."""
        at = self.sync(start) if start > self.header.end else self.header.end
        stop = window.size if end is None else end
        if at >= stop:
            return
        while entry := _entry(window, at, self.header.sync):
            if at >= stop and entry.escaped:
                return
            yield entry
            at = entry.value.end


def _entry(window: Window, position: int, sync: bytes) -> Entry | None:
    """The record at `position`; None at the end of the file, which an escape may precede."""
    if position >= window.size:
        return None
    at, length = position, window.int32(position)
    escaped = length == ESCAPE
    if escaped:
        if window.read(at + 4, SYNC_SIZE) != sync:
            raise SequenceFileError("an escape with another sync marker", path=window.path, offset=at)
        at += ESCAPE_SIZE
        if at == window.size:
            return None
        length = window.int32(at)
    key, value = _parts(window, at, length)
    return Entry(position, escaped, window.read(key.offset, key.length), value)


def _parts(window: Window, at: int, length: int) -> tuple[Extent, Extent]:
    """Key and value of the record of `length` bytes whose lengths stand at `at`."""
    serialised = window.int32(at + 4)
    if length < 0 or serialised < 0:
        raise SequenceFileError("negative length of a record or key", path=window.path, offset=at)
    key = window.text(at + 8)
    if key.end != at + 8 + serialised:
        raise SequenceFileError(
            "a key's own length differs", path=window.path, offset=at, expected=serialised, found=key.end - at - 8
        )
    value = Extent(key.end + 4, window.int32(key.end))
    if value.length < 0 or value.end != at + 8 + length:
        raise SequenceFileError(
            "a value's own length differs", path=window.path, offset=at, expected=length, found=value.end - at - 8
        )
    if value.end > window.size:
        raise SequenceFileTruncated(
            "a record runs beyond the end", path=window.path, offset=at, expected=length, found=window.size - at - 8
        )
    return key, value
