"""What must wait on local disk: an S-DICOM file's header tells every head and length, so no value can be written before all
are known."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from sdfo.errors import Unavailable
from sdfo.model import Extent
from sdfo.stores import CHUNK


class Spool:
    """One unnamed temporary file, which is gone with the process. `Unavailable` where the disk fails or is full."""

    def __init__(self) -> None:
        self._end = 0

    def __enter__(self) -> Self:
        with _told():
            self._file = tempfile.TemporaryFile(prefix="sdfo-", buffering=0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def keep(self, data: bytes) -> Extent:
        """Where it lies now."""
        left, place = memoryview(data), Extent(self._end, len(data))
        with _told():
            while left:  # a disk that fills up takes a part first, and says so the next time (write(2))
                left = left[self._file.write(left) :]
        self._end = place.end
        return place

    def pieces(self, place: Extent) -> Iterator[bytes]:
        """What was kept there. From any thread."""
        for at in range(place.offset, place.end, CHUNK):
            with _told():
                yield os.pread(self._file.fileno(), min(CHUNK, place.end - at), at)

    def read(self, place: Extent) -> bytes:
        return b"".join(self.pieces(place))


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise Unavailable(f"this machine cannot keep what waits to be written: {reason}; TMPDIR says where") from error
