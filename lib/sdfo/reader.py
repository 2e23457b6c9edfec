"""SDFO Reader: the bytes of a file, from whatever tier holds a whole copy. The caller never learns which.

Every byte handed out was compared with its SHA-256, except those of a SAN file that no night has read yet, and a head
read from a file of its own. A copy that is missing or damaged is passed over, and told to `fault`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from hashlib import sha256
from itertools import groupby
from typing import TypeVar

from sdfo.catalog.types import keepable
from sdfo.conf import Settings
from sdfo.dicom import examine
from sdfo.errors import Changed, FormatError, Missing, NotFound, RecordMismatch, SanError, SdfoError, StoreError
from sdfo.model import Extent, Location, Tier
from sdfo.sdicom import Part, escape_name
from sdfo.stores import CHUNK, Source, Store, open_store
from sdfo.tiers.san import San, SanFile

T = TypeVar("T")

SITE = "site.json"
"""In the store's root: which SAN this archive belongs to. Where even it is missing, the store is not there."""

Fault = Callable[[Location, SdfoError], None]
"""Told of each copy that could not be used, before the next one is tried."""


def ignore(location: Location, error: SdfoError) -> None:
    """A `Fault` for callers that have nobody to tell."""


class Reader:
    def __init__(self, settings: Settings, fault: Fault = ignore) -> None:
        self.settings, self.fault = settings, fault

    @cached_property
    def san(self) -> San:
        return San(self.settings.san.root, self.settings.san.exam_depth)

    @cached_property
    def hdfs(self) -> Store:
        return open_store(self.settings.hdfs.root, self.settings.hdfs)

    def read(self, copies: Sequence[Location]) -> bytes:
        """One file, whole, from the first of its copies that proves to be so. `NotFound` if none does."""
        return self.first(copies, self._read)

    def each(self, files: Sequence[Sequence[Location]]) -> Iterator[bytes]:
        """Each file as `read` gives it. Neighbours whose first copies lie in one S-DICOM file come out of one reading."""
        for path, group in groupby(files, _record_of):
            copies = list(group)
            yield from map(self.read, copies) if path is None else self._together(path, copies)

    def _together(self, path: str, files: Sequence[Sequence[Location]]) -> Iterator[bytes]:
        """What does not come whole this way is read as if it were alone: that finds, and tells, what is wrong."""
        done = 0
        with suppress(StoreError, FormatError), self.hdfs.open(path) as source:
            extents = [copies[0].extent or Extent(0, 0) for copies in files]
            for copies, data in zip(files, source.each(extents), strict=True):
                right = sha256(data).hexdigest() == copies[0].sha256
                yield data if right else self.read(copies)
                done += 1
        yield from map(self.read, files[done:])

    def head(self, copies: Sequence[Location]) -> bytes:
        """A file's bytes before its pixel data's value; the file itself if it has none. No pixels are read.

        From a part they come out of its heads, which were proven; where those do not hold them the file is read whole.
        """
        return self.first(copies, self._head)

    def spool(
        self, copies: Sequence[Location], write: Callable[[bytes], object], restart: Callable[[], object]
    ) -> None:
        """The same in pieces, for a file of any size. `restart` is called before another copy begins anew."""

        def one(location: Location) -> None:
            restart()
            for chunk in self.stream(location):
                write(chunk)

        self.first(copies, one)

    def first(self, copies: Sequence[Location], use: Callable[[Location], T]) -> T:
        """What `use` makes of the first copy that it can use."""
        for location in copies:
            try:
                return use(location)
            except (SanError, StoreError, FormatError, NotFound) as error:
                self.fault(location, error)
        study = copies[0].study if copies else None
        raise NotFound(f"no whole copy of a file of study {study} can be reached", next_command=f"sdfo locate {study}")

    def _read(self, location: Location) -> bytes:
        with self.open(location) as source:
            extent = _extent(location, source)
            data = source.read(extent.offset, extent.length)
        _prove(location, sha256(data).hexdigest())
        return data

    def _head(self, location: Location) -> bytes:
        if location.path is not None and location.path.endswith(".sdicom"):
            with Part.open(self.hdfs, location.path) as part:
                kept = part.head(part.by_name(escape_name(location.name)))
            return self._read(location) if kept is None else kept[0]
        with self.open(location) as file:
            pixels = examine(file).pixels
            return file.read(0, file.size if pixels is None else pixels.offset)

    def stream(self, location: Location) -> Iterator[bytes]:
        """One copy's bytes; `RecordMismatch` after the last if they are not what they should be."""
        digest = sha256()
        with self.open(location) as source:
            extent = _extent(location, source)
            for at in range(extent.offset, extent.end, CHUNK):
                chunk = source.read(at, min(CHUNK, extent.end - at))
                digest.update(chunk)
                yield chunk
        _prove(location, digest.hexdigest())

    def open(self, location: Location) -> Source | SanFile:
        """The file that holds a copy; the caller closes it."""
        if location.tier is Tier.SAN:
            return self._on_san(location)
        if location.tier is Tier.HDFS and location.path is not None:
            return self.hdfs.open(location.path)
        raise Missing(f"no reader for tier {location.tier}", path=location.path)

    def _on_san(self, location: Location) -> SanFile:
        """A file that no night has read has no digest: that it still is the instance which the scan saw is all to go by."""
        file = self.san.open(location.folder, location.name)
        try:
            if location.sha256 is None and (location.sop or "") != keepable(examine(file).sop or ""):
                raise Changed("another file took the place of a new one")
        except BaseException:
            file.close()
            raise
        return file


def _record_of(copies: Sequence[Location]) -> str | None:
    """The S-DICOM file in which the first copy is a record with a digest."""
    first = copies[0]
    return first.path if first.tier is Tier.HDFS and first.extent is not None and first.sha256 is not None else None


def _extent(location: Location, source: Source | SanFile) -> Extent:
    return location.extent or Extent(0, source.size)


def _prove(location: Location, found: str) -> None:
    if location.sha256 is not None and found != location.sha256:
        offset = location.extent.offset if location.extent else None
        raise RecordMismatch(
            f"a copy on {location.tier} has another SHA-256",
            path=location.path,
            offset=offset,
            expected=location.sha256,
            found=found,
        )
