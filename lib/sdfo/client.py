"""SDFO Client: the archive as an application sees it. Where an image lies is not its concern."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pydicom

from sdfo.catalog import Catalog, Query, StudyRow
from sdfo.compressed import Compressed, Preview
from sdfo.conf import Settings
from sdfo.dicom import attributes
from sdfo.errors import BadPath, CatalogError, Exists, FormatError, Missing, NotFound, OutOfRange, SdfoError, StoreError
from sdfo.locator import Locator
from sdfo.model import Kind, Location, Tier, path_part
from sdfo.reader import SITE, Reader
from sdfo.sdicom import Part
from sdfo.stores import open_store
from sdfo.tiers.nearline import ID_FILE
from sdfo.tiers.san import San
from sdfo.writer import Stored, Writer

_NAME_MOST = 255 - 17
"""Bytes of a file's name that leave room for `-` and 16 digits (NAME_MAX of Linux file systems)."""


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
        return Catalog(self.settings.catalog.url, open_store(self.settings.hdfs.root, self.settings.hdfs))

    @cached_property
    def locator(self) -> Locator:
        return Locator(self.catalog)

    @cached_property
    def writer(self) -> Writer:
        return Writer(San(self.settings.san.root, self.settings.san.exam_depth), self.catalog)

    def find(self, query: Query, limit: int | None = None) -> Iterator[StudyRow]:
        """Studies that answer the query: those online first, chronological within each availability; at most so many."""
        return self.catalog.find(query, limit)

    def locate(self, uid: str) -> list[Location]:
        """Every copy of a study, series or SOP instance, cheapest first."""
        return self.locator.copies(uid)

    def open(self, sop: str) -> bytes:
        """One instance, byte for byte as it was received."""
        return self.reader.read(self.locator.files(sop)[0])

    def exam(self, study: str) -> Iterator[tuple[Location, bytes]]:
        """Every file of a study or series, one at a time, by folder and name."""
        files = self.locator.files(study)
        for copies, data in zip(files, self.reader.each(files), strict=True):
            yield copies[0], data

    def head(self, uid: str) -> pydicom.Dataset:
        """The header of an instance (of the first one of a study or series), without reading its pixels.

        `DicomError` if the file has none that can be read.
        """
        return attributes(self.reader.head(min(self.locator.files(uid), key=_is_no_image)))

    def preview(self, uid: str, layers: int = 1, frame: int = 0) -> Preview:
        """An image of an instance (of the first one of a study or series) by its first layers, and no more bytes than these.

        The protected region is exact in it, the background is not before it is `final`. `NotFound` if no copy has layers.
        """
        with Compressed(self.reader) as compressed:
            return compressed.preview(min(self.locator.files(uid), key=_is_no_image), layers, frame)

    def lossy(self, uid: str) -> Iterator[tuple[Location, bytes]]:
        """The lossy second objects of a study, series or instance, each with where its original lies. `NotFound` if there are none.

        They are instances of their own, made where the settings allow it, and may be gone; nothing else ever gives them.
        """
        files = self.locator.files(uid)
        for number, data in self._lossy(uid, files):
            yield files[number][0], data

    def store(self, data: bytes) -> Stored:
        """Keep a received DICOM file on the SAN; it can be found and read at once."""
        return self.writer.store(data)

    def get(self, uid: str, to: Path, as_stored: bool = False) -> GetReport:
        """Write the files of a study, series or instance below `to`: `<study>/[<n>/]<name>`, as they lay on the SAN.

        `<n>` numbers the exam folders where a study has several. What cannot lie under its own name, because a later file
        had the same or a folder has it, gets digits of its SHA-256 after it. A file that is there is never replaced: `Exists`.
        `as_stored`: of the files that some copy holds compressed, the DICOM object with the codestreams instead.
        """
        before, files = len(self.faults), self.locator.files(uid)
        total = 0
        with Compressed(self.reader) as compressed:
            for copies, (folder, name) in zip(files, _targets(files, to), strict=True):
                stored = compressed.stored(copies) if as_stored else None
                total += self._get(copies, folder, name, stored)
        return GetReport(len(files), total, tuple(self.faults[before:]))

    def get_lossy(self, uid: str, to: Path) -> GetReport:
        """`get` of what `lossy` gives, under the names of the originals: so choose another folder than theirs."""
        files = self.locator.files(uid)
        targets = _targets(files, to)
        sizes = [self._get(files[number], *targets[number], data) for number, data in self._lossy(uid, files)]
        return GetReport(len(sizes), sum(sizes))

    def _lossy(self, uid: str, files: Sequence[tuple[Location, ...]]) -> Iterator[tuple[int, bytes]]:
        """Which of the files have a lossy object, and the object. `NotFound` if none has."""
        from sdfo.lossy import LossyFiles  # who wants originals needs no decoder

        found = 0
        with LossyFiles(self.reader.nearline) as lossy:
            for number, copies in enumerate(files):
                data = lossy.of(copies)
                if data is not None:
                    found += 1
                    yield number, data
        if not found:
            raise NotFound(f"no lossy object was made of UID {uid}", next_command=f"sdfo get {uid} --to DIR")

    def _get(self, copies: tuple[Location, ...], to: bytes, name: bytes, stored: bytes | None) -> int:
        """Writes the file, or what is `stored` of it instead; its size."""
        target = os.path.join(to, _below(name))
        attempt = os.path.join(os.path.dirname(target), b".sdfo-" + os.fsencode(secrets.token_hex(8)))
        try:
            if os.path.lexists(target):
                raise Exists(f"a file of study {copies[0].study} is there already; choose an empty folder")
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(attempt, "xb") as file:
                if stored is None:
                    self.reader.spool(copies, file.write, lambda: (file.seek(0), file.truncate()))
                else:
                    file.write(stored)
                size = file.tell()
            os.rename(attempt, target)
        except OSError as error:  # its text has the name
            raise StoreError(f"a file cannot be written: {os.strerror(error.errno or 0)}") from None
        finally:
            with suppress(OSError):
                os.unlink(attempt)
        return size

    def _fault(self, location: Location, error: SdfoError) -> None:
        """Remember a copy that could not be used, and mark it in the catalog if it is bad and not merely away.

        Who may read and not write the catalog reads on.
        """
        self.faults.append(Fault(location.tier, location.study, str(error)))
        with suppress(CatalogError, StoreError):
            if location.tier is not Tier.SAN and self._is_bad(location.tier, error):
                self._mark(location)

    def _is_bad(self, tier: Tier, error: SdfoError) -> bool:
        if isinstance(error, Missing) and tier is not Tier.TAPE:  # a store that is not there misses every file
            self.reader.store(tier).stat(ID_FILE if tier is Tier.NEARLINE else SITE)
        return isinstance(error, FormatError | Missing | OutOfRange)

    def _mark(self, location: Location) -> None:
        for part in self.catalog.parts(location.study):
            for copy in self.catalog.copies(part.id):
                if (
                    copy.tier == location.tier
                    and copy.state not in ("damaged", "retired")
                    and self._holds(copy.tier, copy.path, location.path)
                ):
                    self.catalog.mark_copy(part.id, copy.tier, "damaged")

    def _holds(self, tier: str, part: str, path: str | None) -> bool:
        """Whether `path` is the part's file, or one kept beside it."""
        if path is None or path == part or path.endswith(".sdicom"):
            return path == part
        with Part.open(self.reader.store(Tier(tier)), part) as opened:
            return path.rpartition("/")[2] in {apart.path for apart in opened.aparts}


def _is_no_image(copies: Sequence[Location]) -> bool:
    return copies[0].series is None or copies[0].kind not in (None, Kind.DICOM)


def _targets(files: Sequence[tuple[Location, ...]], to: Path) -> list[tuple[bytes, bytes]]:
    """Folder and name for each file, in their order."""
    folders = sorted({copies[0].folder for copies in files})
    numbers = (str(folders.index(copies[0].folder)) if len(folders) > 1 else "" for copies in files)
    below = (
        os.fsencode(to / path_part(copies[0].study) / number) for copies, number in zip(files, numbers, strict=True)
    )
    return list(zip(below, _names(files), strict=True))


def _names(files: Sequence[tuple[Location, ...]]) -> list[bytes]:
    """A name for each file, in their order, in which of those with one name the last has it now."""
    taken = {(copies[0].folder, folder) for copies in files for folder in _folders(copies[0].name)}
    names = list[bytes]()
    for folder, name, digest in ((copies[0].folder, copies[0].name, copies[0].sha256) for copies in reversed(files)):
        base = os.path.basename(name)
        other = name.removesuffix(base) + b"%b-%b" % (base[:_NAME_MOST], os.fsencode(digest or "new")[:16])
        names.append(other if (folder, name) in taken else name)
        taken.add((folder, name))
    return names[::-1]


def _folders(name: bytes) -> Iterator[bytes]:
    while name := os.path.dirname(name):
        yield name


def _below(name: bytes) -> bytes:
    """A name from a listing as a path to write to; it came from outside, so it is checked again."""
    if name.startswith(b"/") or b"\0" in name or any(part in (b"", b".", b"..") for part in name.split(b"/")):
        raise BadPath("an archived name would leave its folder")
    return name
