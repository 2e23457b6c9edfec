"""Compressed copies as they are: the DICOM object with its codestreams, or an image of its first layers alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from sdfo.errors import FormatError, NotFound, StoreError
from sdfo.model import Location
from sdfo.reader import Reader
from sdfo.sdicom import Part, Record, escape_name


class Compressed:
    """Files one after the other; the last part stays open, for neighbours lie in one. For one thread."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._part: Part | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def stored(self, copies: Sequence[Location]) -> bytes | None:
        """The DICOM object in the cheapest copy that is compressed; None where none is."""
        for location, part, record in self.records(copies):
            try:
                return part.stored(record)
            except (StoreError, FormatError) as error:
                self._reader.fault(location, error)
        return None

    def records(self, copies: Sequence[Location]) -> Iterator[tuple[Location, Part, Record]]:
        """Of the copies in S-DICOM files those with a compressed value, cheapest first. The part is open until the next."""
        for location in copies:
            if location.path is None or not location.path.endswith(".sdicom"):
                continue
            try:
                part = self._opened(location)
                record = part.by_name(escape_name(location.name))
            except (StoreError, FormatError, NotFound) as error:
                self._reader.fault(location, error)
                continue
            if record.original is not None:
                yield location, part, record

    def _opened(self, location: Location) -> Part:
        wanted = self._reader.store(location.tier).url, location.path
        if self._part is None or (self._part.store.url, self._part.path) != wanted:
            self._close()
            self._part = self._reader.part(location)
        return self._part

    def _close(self) -> None:
        if self._part is not None:
            self._part.close()
        self._part = None
