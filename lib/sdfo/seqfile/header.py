"""The header of a SequenceFile (org.apache.hadoop.io.SequenceFile.Writer.writeFileHeader).

"SEQ" 6 · key class name (Text) · value class name (Text) · compressed? (byte) · block-compressed? (byte)
metadata: int32 count, then that many pairs of Text (SequenceFile.Metadata)
sync marker, 16 bytes
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sdfo.errors import SequenceFileError
from sdfo.model import Extent
from sdfo.seqfile.framing import SYNC_SIZE
from sdfo.seqfile.vint import encode_vint, text
from sdfo.seqfile.window import Window
from sdfo.stores import Source

MAGIC = b"SEQ\x06"
KEY_CLASS = b"org.apache.hadoop.io.Text"
VALUE_CLASS = b"org.apache.hadoop.io.BytesWritable"
PLAIN = b"\x00\x00"
"""Neither compressed nor block-compressed."""
PREAMBLE = MAGIC + text(KEY_CLASS) + text(VALUE_CLASS) + PLAIN
"""Everything before the metadata."""

_AHEAD = 4 * 1024  # keys and short values; what follows a long value is as short
_MOST_PAIRS = 65_536
_LONGEST_KEY = 65_536


@dataclass(frozen=True, slots=True)
class Header:
    """`metadata` says where each value lies: reading it is the caller's choice. `end` is where the first record begins."""

    metadata: tuple[tuple[str, Extent], ...]
    sync: bytes
    end: int


def encode_header(metadata: Iterable[tuple[bytes, bytes]], sync: bytes) -> bytes:
    """Copies each value once: one may be tens of MiB long."""
    pairs = list(metadata)
    pieces = (piece for key, value in pairs for piece in (text(key), encode_vint(len(value)), value))
    return b"".join((PREAMBLE, len(pairs).to_bytes(4, "big"), *pieces, sync))


def read_header(source: Source) -> Header:
    """The header of an open file, by a read of 4 KiB and one more after each long value."""
    window = Window(source, _AHEAD)
    metadata, end = _read_metadata(window, _read_preamble(window))
    return Header(metadata, window.read(end, SYNC_SIZE), end + SYNC_SIZE)


def _read_preamble(window: Window) -> int:
    """Refuse what this package does not read; the position after it."""
    _same(window, 0, "not a SequenceFile of version 6", MAGIC)
    at = len(MAGIC)
    for what, name in (("another key class", KEY_CLASS), ("another value class", VALUE_CLASS)):
        found = window.text(at)
        if found.length != len(name):
            raise SequenceFileError(what, path=window.path, offset=at, expected=name.decode(), found="another name")
        _same(window, found.offset, what, name)
        at = found.end
    _same(window, at, "compressed records", PLAIN)
    return at + len(PLAIN)


def _same(window: Window, offset: int, what: str, expected: bytes) -> None:
    found = window.read(offset, len(expected))
    if found != expected:
        raise SequenceFileError(what, path=window.path, offset=offset, expected=expected, found=found)


def _read_metadata(window: Window, at: int) -> tuple[tuple[tuple[str, Extent], ...], int]:
    count = window.int32(at)
    if not 0 <= count <= _MOST_PAIRS:
        raise SequenceFileError("impossible number of metadata pairs", path=window.path, offset=at, found=count)
    at += 4
    pairs: dict[str, Extent] = {}
    for _ in range(count):
        key, after = _read_key(window, at)
        if key in pairs:
            raise SequenceFileError("a metadata key appears twice", path=window.path, offset=at)
        pairs[key] = window.text(after)
        at = pairs[key].end
    return tuple(pairs.items()), at


def _read_key(window: Window, at: int) -> tuple[str, int]:
    place = window.text(at)
    if place.length > _LONGEST_KEY:
        raise SequenceFileError("a metadata key is too long", path=window.path, offset=at, found=place.length)
    try:
        return window.read(place.offset, place.length).decode(), place.end
    except UnicodeDecodeError as error:
        raise SequenceFileError("a metadata key is not UTF-8", path=window.path, offset=at) from error
