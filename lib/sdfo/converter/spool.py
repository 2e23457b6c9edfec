"""Descriptions while Reduce waits for the last one: their heads on local disk, the rest in memory."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import Self

import zstandard

from sdfo.converter.describe import SHUFFLE_MOST
from sdfo.errors import Unavailable
from sdfo.model import Description, Extent


class Spool:
    """Heads in one unnamed temporary file, which is gone with the process. `Unavailable` where the disk fails or is full."""

    def __init__(self) -> None:
        self._places: dict[bytes, Extent] = {}
        self._end = 0
        self._unpack = zstandard.ZstdDecompressor()

    def __enter__(self) -> Self:
        with _told():
            self._file = tempfile.TemporaryFile(prefix="sdfo-heads-", buffering=0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def keep(self, d: Description) -> Description:
        """`d` without its head, which `head` gives back."""
        if d.head is None:
            return d
        left = memoryview(d.head)
        with _told():
            while left:  # a disk that fills up takes a part first, and says so the next time (write(2))
                left = left[self._file.write(left) :]
        self._places[d.stamp.name] = Extent(self._end, len(d.head))
        self._end += len(d.head)
        return replace(d, head=None)

    def head(self, d: Description) -> bytes | None:
        """Head and tail of `d`, unpacked; None if its description carried none."""
        place = self._places.get(d.stamp.name)
        if place is None:
            return None
        with _told():
            packed = os.pread(self._file.fileno(), place.length, place.offset)
        return self._unpack.decompress(packed, max_output_size=SHUFFLE_MOST)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable(
            f"this machine cannot keep heads until they are merged: {os.strerror(error.errno or 0)}; TMPDIR says where"
        ) from error
