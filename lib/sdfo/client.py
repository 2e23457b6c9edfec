"""SDFO Client: the archive as an application sees it. Where an image lies is not its concern."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pydicom

from sdfo.catalog import Catalog, Query, StudyRow
from sdfo.conf import Settings
from sdfo.dicom import attributes, examine
from sdfo.errors import BadPath, Exists, FormatError, Missing, OutOfRange, SdfoError
from sdfo.locator import Locator
from sdfo.model import Extent, Location, Tier, path_part
from sdfo.reader import Reader
from sdfo.stores import Source, open_store
from sdfo.tiers.san import San, SanFile
from sdfo.writer import Stored, Writer


@dataclass(frozen=True, slots=True)
class Fault:
    """A copy that could not be used, though the reader got the bytes from another one."""

    tier: str
    study: str
    what: str


@dataclass(frozen=True, slots=True)
class GetReport:
    files: int = 0
    bytes: int = 0
    faults: tuple[Fault, ...] = field(default=())


class Archive:
    """Find, read and store. Threads may share one; nothing is opened before it is used."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.faults: list[Fault] = []
        self.reader = Reader(settings, self._fault)

    @cached_property
    def catalog(self) -> Catalog:
        return Catalog(self.settings.catalog.url, open_store(self.settings.hdfs.root))

    @cached_property
    def locator(self) -> Locator:
        return Locator(self.catalog)

    @cached_property
    def writer(self) -> Writer:
        return Writer(San(self.settings.san.root, self.settings.san.exam_depth), self.catalog)

    def find(self, query: Query) -> Iterator[StudyRow]:
        """Studies that answer the query: those online first, chronological within each availability."""
        return self.catalog.find(query)

    def locate(self, uid: str) -> list[Location]:
        """Every copy of a study, series or SOP instance, cheapest first."""
        return self.locator.copies(uid)

    def open(self, sop: str) -> bytes:
        """One instance, byte for byte as it was received."""
        return self.reader.read(self.locator.files(sop)[0])

    def exam(self, study: str) -> Iterator[tuple[Location, bytes]]:
        """Every file of a study or series, one at a time, by folder and name."""
        for copies in self.locator.files(study):
            yield copies[0], self.reader.read(copies)

    def head(self, uid: str) -> pydicom.Dataset:
        """The header of an instance (of the first one of a study or series), without reading its pixels."""
        return self.reader.first(self.locator.files(uid)[0], self._head)

    def store(self, data: bytes) -> Stored:
        """Keep a received DICOM file on the SAN; it can be found and read at once."""
        return self.writer.store(data)

    def get(self, uid: str, to: Path) -> GetReport:
        """Write the files of a study, series or instance below `to`: `<study>/[<n>/]<name>`, as they lay on the SAN.

        `<n>` numbers the exam folders where a study has several. A file that is there is never replaced: `Exists`.
        """
        files = self.locator.files(uid)
        folders = sorted({copies[0].folder for copies in files})
        total = 0
        for copies in files:
            number = str(folders.index(copies[0].folder)) if len(folders) > 1 else ""
            total += self._get(copies, to / path_part(copies[0].study) / number)
        return GetReport(len(files), total, tuple(self.faults))

    def _get(self, copies: tuple[Location, ...], to: Path) -> int:
        target = os.path.join(os.fsencode(to), _below(copies[0].name))
        if os.path.lexists(target):
            raise Exists(f"a file of study {copies[0].study} is there already; choose an empty folder")
        os.makedirs(os.path.dirname(target), exist_ok=True)
        attempt = os.path.join(os.path.dirname(target), b".sdfo-" + os.fsencode(secrets.token_hex(8)))
        with open(attempt, "xb") as file:
            self.reader.spool(copies, file.write, lambda: (file.seek(0), file.truncate()))
            size = file.tell()
        os.rename(attempt, target)
        return size

    def _head(self, location: Location) -> pydicom.Dataset:
        with self.reader.open(location) as source:
            extent = location.extent or Extent(0, source.size)
            window = _Window(source, extent)
            pixels = examine(window).pixels
            return attributes(window.read(0, extent.length if pixels is None else pixels.offset))

    def _fault(self, location: Location, error: SdfoError) -> None:
        """Remember a copy that could not be used, and mark it in the catalog if it is bad and not merely away."""
        self.faults.append(Fault(location.tier, location.study, str(error)))
        if location.tier is Tier.SAN or not isinstance(error, FormatError | Missing | OutOfRange):
            return
        for part in self.catalog.parts(location.study):
            for copy in self.catalog.copies(part.id):
                if copy.tier == location.tier and copy.path == location.path:
                    self.catalog.mark_copy(part.id, copy.tier, "damaged")


class _Window:
    """A byte range of a source, as a source of its own."""

    def __init__(self, source: Source | SanFile, extent: Extent) -> None:
        self.source, self.extent, self.size = source, extent, extent.length

    def read(self, offset: int, length: int) -> bytes:
        return self.source.read(self.extent.offset + offset, length)


def _below(name: bytes) -> bytes:
    """A name from a listing as a path to write to; it came from outside, so it is checked again."""
    if name.startswith(b"/") or b"\0" in name or any(part in (b"", b".", b"..") for part in name.split(b"/")):
        raise BadPath("an archived name would leave its folder")
    return name
