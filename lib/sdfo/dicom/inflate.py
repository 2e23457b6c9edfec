"""The deflated data set (PS3.5 section A.5: raw deflate, RFC 1951, no zlib header), unpacked without trusting it.

Memory is a few chunks whatever the stream claims; time is bounded because the output is: a stream that would inflate
beyond the bounds is refused as soon as it passes them.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from struct import pack

from sdfo.dicom.source import ByteSource
from sdfo.errors import DicomError, OutOfRange

INFLATED_MAX = 256 * 1024 * 1024
"""Bytes that any stream may inflate to."""

INFLATE_RATIO_MAX = 100
"""… and beyond that, only a stream which is at least one part in this many of its output: images deflate 2:1 to 10:1,
empty masks 1000:1 but do not reach INFLATED_MAX."""

CHUNK = 64 * 1024


class Inflated:
    """The data set that the deflate stream at `at` holds, as a source. Reads must not go backwards.

    `size` is known because the stream was inflated once before, to its end; `DicomError` if it has none, is not
    deflate, is beyond the bounds, or is followed by bytes other than zeros (one is the padding of PS3.5 A.5) or a gzip
    trailer that agrees (RFC 1952 section 2.3.1: CRC-32 and length; old writers cut their streams from gzip's).
    """

    def __init__(self, source: ByteSource, at: int) -> None:
        self._source, self._at, self._next = source, at, at
        self.notes: list[str] = []
        self.size = self._measure()
        self._pieces = self._inflate(zlib.decompressobj(-zlib.MAX_WBITS))
        self._start, self._held = 0, b""

    def read(self, offset: int, length: int) -> bytes:
        if offset < self._start or offset + length > self.size:
            raise OutOfRange("read beyond the end, or backwards", offset=offset, expected=length, found=self.size)
        while self._start + len(self._held) < offset:
            self._start += len(self._held)
            self._held = next(self._pieces)
        pieces = [self._held[offset - self._start :]]
        have = len(pieces[0])
        while have < length:
            pieces.append(next(self._pieces))
            have += len(pieces[-1])
        self._start, self._held = offset, b"".join(pieces)
        return self._held[:length]

    def _measure(self) -> int:
        stream = zlib.decompressobj(-zlib.MAX_WBITS)
        limit = max(INFLATED_MAX, (self._source.size - self._at) * INFLATE_RATIO_MAX)
        size = crc = 0
        for piece in self._inflate(stream):
            size, crc = size + len(piece), zlib.crc32(piece, crc)
            if size > limit:
                raise DicomError(
                    "the data set inflates to more than is allowed", offset=self._at, expected=limit, found=size
                )
        if not stream.eof:
            raise DicomError("the deflated data set is cut short", offset=self._source.size)
        self._check_rest(self._next - len(stream.unused_data), pack("<LL", crc, size & 0xFFFFFFFF))
        return size

    def _inflate(self, stream: zlib._Decompress) -> Iterator[bytes]:
        """Pieces of at most CHUNK bytes, until the stream or the source ends."""
        try:
            for at in range(self._at, self._source.size, CHUNK):
                self._next = min(at + CHUNK, self._source.size)
                piece = stream.decompress(self._source.read(at, self._next - at), CHUNK)
                while piece:
                    yield piece
                    piece = b"" if stream.eof else stream.decompress(stream.unconsumed_tail, CHUNK)
                if stream.eof:
                    return
        except zlib.error as error:
            raise DicomError("the data set is no deflate stream", offset=self._at) from error

    def _check_rest(self, at: int, trailer: bytes) -> None:
        rest = self._source.size - at
        if self._source.read(at, min(rest, len(trailer))) == trailer:
            self.notes.append("a gzip trailer after the deflated data set")
            at += len(trailer)
        elif rest > 1:
            self.notes.append(f"{rest} surplus bytes after the deflated data set")
        for begin in range(at, self._source.size, CHUNK):
            if self._source.read(begin, min(CHUNK, self._source.size - begin)).strip(b"\0"):
                raise DicomError("bytes after the deflated data set", offset=at)
