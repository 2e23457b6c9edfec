"""The stretch of a source in which headers are being read. It moves forward only, and jumps over what is skipped."""

from __future__ import annotations

from sdfo.dicom.elements import HEADER
from sdfo.dicom.source import ByteSource, MemorySource
from sdfo.errors import DicomError

WINDOW = 64 * 1024
"""Bytes read at once: the whole head of most images, and little where a Siemens head jumps over its private data."""

ELEMENTS_MAX = 5_000_000
"""Elements and items in one file, at any depth. The largest multi-frame objects have a million; more is an attack."""


class Window:
    """`data` holds the source's bytes from `base` on."""

    def __init__(self, source: ByteSource) -> None:
        self.source, self.size = source, source.size
        self.base, self.data = 0, b""
        self._left = ELEMENTS_MAX

    @classmethod
    def over(cls, data: bytes) -> Window:
        """A window that is the whole of `data`."""
        window = cls(MemorySource(data))
        window.data = data
        return window

    def hold(self, at: int, length: int = HEADER, ahead: int = WINDOW) -> None:
        """Let `data` hold `length` bytes from `at`, or as many as there are; `ahead` is what a new read asks for."""
        end = min(at + length, self.size)
        if end > at and (at < self.base or end > self.base + len(self.data)):
            self.data = self.source.read(at, min(max(length, ahead), self.size - at))
            self.base = at

    def bytes(self, at: int, length: int, ahead: int = WINDOW) -> bytes:
        """The bytes from `at`, fewer than `length` only where the source ends."""
        start = at - self.base
        if start < 0 or start + length > len(self.data):
            self.hold(at, length, ahead)
            start = at - self.base
        return self.data[start : start + length]

    def charge(self, elements: int) -> None:
        self._left -= elements
        if self._left < 0:
            raise DicomError(
                "more elements than one file may have", expected=ELEMENTS_MAX, found=ELEMENTS_MAX - self._left
            )
