"""Buffered reads of a source: small ones come out of a piece read ahead, large ones pass through."""

from __future__ import annotations

from sdfo.errors import OutOfRange, SequenceFileError, SequenceFileTruncated
from sdfo.model import Extent
from sdfo.seqfile.vint import LONGEST, decode_vint
from sdfo.stores import Source


class Window:
    """One reader's view of a source. It reads `piece` bytes ahead; ask in ascending order and no byte is read twice.

    What lies beyond the end is `SequenceFileTruncated`. Not for several threads.
    """

    def __init__(self, source: Source, piece: int) -> None:
        self.source, self.path, self.size = source, source.path, source.size
        self._piece, self._start, self._buffer = piece, 0, b""

    def view(self, offset: int, length: int) -> memoryview:
        """`length` bytes at `offset`, without a copy where they lie in the buffer."""
        if length < 0 or offset + length > self.size:
            raise SequenceFileTruncated(
                "the file ends too early", path=self.path, offset=offset, expected=length, found=self.size - offset
            )
        if not self._start <= offset <= offset + length <= self._start + len(self._buffer):
            if length >= self._piece:
                return memoryview(self._read(offset, length))
            self._move(offset)
        at = offset - self._start
        return memoryview(self._buffer)[at : at + length]

    def read(self, offset: int, length: int) -> bytes:
        return bytes(self.view(offset, length))

    def int32(self, offset: int) -> int:
        """java.io.DataOutput.writeInt: signed, big endian."""
        return int.from_bytes(self.view(offset, 4), "big", signed=True)

    def vint(self, offset: int) -> tuple[int, int]:
        """The number at `offset` and the position after it."""
        data = self.read(offset, max(1, min(LONGEST, self.size - offset)))
        try:
            number, used = decode_vint(data)
        except IndexError as error:
            raise SequenceFileTruncated("the file ends inside a number", path=self.path, offset=offset) from error
        return number, offset + used

    def text(self, offset: int) -> Extent:
        """Where the content of the Text at `offset` lies: it is inside the file, and was not read."""
        length, start = self.vint(offset)
        if length < 0:
            raise SequenceFileError("negative length of a Text", path=self.path, offset=offset, found=length)
        if start + length > self.size:
            raise SequenceFileTruncated(
                "a Text runs beyond the end", path=self.path, offset=offset, expected=length, found=self.size - start
            )
        return Extent(start, length)

    def _move(self, offset: int) -> None:
        """Read ahead from `offset`, keeping what of it is here already."""
        end = self._start + len(self._buffer)
        kept = self._buffer[offset - self._start :] if self._start <= offset < end else b""
        fresh = offset + len(kept)
        self._buffer = kept + self._read(fresh, min(self._piece, self.size - fresh))
        self._start = offset

    def _read(self, offset: int, length: int) -> bytes:
        try:
            return self.source.read(offset, length)
        except OutOfRange as error:
            raise SequenceFileTruncated("the file was cut while open", path=self.path, offset=offset) from error
