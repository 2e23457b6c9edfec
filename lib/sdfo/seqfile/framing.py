"""The bytes between a SequenceFile's values (org.apache.hadoop.io.SequenceFile.Writer.append, .sync).

A record is int32 record length · int32 key length · key · value, both lengths of the serialised forms: the key a Text,
the value a BytesWritable (int32 length, content). Before a record may stand an escape: int32 -1 and the file's sync
marker. Hadoop starts a split at the first escape in it.
"""

from __future__ import annotations

import struct

from sdfo.seqfile.vint import encode_vint, text

ESCAPE = -1
"""Where a record length is expected: a sync marker follows (SequenceFile.SYNC_ESCAPE)."""
SYNC_SIZE = 16
"""Bytes of a sync marker (SequenceFile.SYNC_HASH_SIZE)."""
ESCAPE_SIZE = 4 + SYNC_SIZE
"""SequenceFile.SYNC_SIZE: an escape with its marker."""
SYNC_INTERVAL = 1_000_000
"""Bytes after which this package's writer lets an escape stand. Hadoop's own default is 102,400; a reader takes any."""
LONGEST = 2**31 - 1
"""Of a record, and of all lengths: they are Java ints."""

_INT, _TWO = struct.Struct(">i"), struct.Struct(">ii")


def prefix(key: bytes, length: int, sync: bytes | None = None) -> bytes:
    """What stands before the `length` bytes of a value; an escape first if `sync` is given. ValueError if too long."""
    serialised = text(key)
    total = len(serialised) + 4 + length
    if total > LONGEST:
        raise ValueError("a record may hold 2 GiB at most")
    escape = b"" if sync is None else _INT.pack(ESCAPE) + sync
    return b"".join((escape, _TWO.pack(total, len(serialised)), serialised, _INT.pack(length)))


class Framing:
    """Where records stand, one after the other: `position` counts from the end of the header.

    An escape comes before a record when at least `interval` bytes were written since the header or the last escape.
    """

    def __init__(self, interval: int = SYNC_INTERVAL) -> None:
        self.position, self._interval, self._due = 0, interval, interval

    def place(self, key_length: int, length: int) -> tuple[bool, int]:
        """The next record, of a key of `key_length` bytes: whether an escape precedes it, and where its value begins."""
        escaped = self.position >= self._due
        if escaped:
            self.position += ESCAPE_SIZE
            self._due = self.position + self._interval
        value = self.position + 12 + len(encode_vint(key_length)) + key_length
        self.position = value + length
        return escaped, value
