"""Where a file's bytes come from. A floor that reads DICOM need not know whether they lie on a disk or in memory."""

from __future__ import annotations

from typing import Protocol

from sdfo.errors import OutOfRange


class ByteSource(Protocol):
    """Positioned reads; every open file of a store is one."""

    @property
    def size(self) -> int: ...

    def read(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes from `offset`; `OutOfRange` if the source does not hold them."""


class MemorySource:
    """Bytes in memory, not copied as a whole."""

    def __init__(self, data: bytes | memoryview) -> None:
        self._data = data
        self.size = len(data)

    def read(self, offset: int, length: int) -> bytes:
        if offset < 0 or length < 0 or offset + length > self.size:
            raise OutOfRange("read beyond the end", offset=offset, expected=length, found=self.size - offset)
        return bytes(self._data[offset : offset + length])
