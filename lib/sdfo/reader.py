"""SDFO Reader: the bytes of a file, from whatever tier holds a whole copy. The caller never learns which.

Every byte handed out was compared with its SHA-256, except those of a SAN file that no night has read yet, and a head
read from a file of its own. A copy that is missing or damaged is passed over, and told to `fault`.

A copy written with another codec than its part was published with lays its records out anew, so the catalog cannot
say where a file lies in it (`Location.extent` is None): its own index does, and gives the original back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from itertools import groupby
from typing import TypeVar

from sdfo.catalog.types import keepable
from sdfo.conf import Settings
from sdfo.dicom import examine
from sdfo.errors import (
    Changed,
    FormatError,
    Missing,
    NotFound,
    OnTape,
    RecordMismatch,
    SanError,
    SdfoError,
    SdicomError,
    StoreError,
)
from sdfo.model import Extent, Location, Tier
from sdfo.sdicom import Part, Record, escape_name
from sdfo.stores import CHUNK, Source, Store, open_store
from sdfo.tiers.san import San, SanFile
from sdfo.tiers.tape.reading import TapeStore

T = TypeVar("T")

SITE = "site.json"
"""In the store's root: which SAN this archive belongs to. Where even it is missing, the store is not there."""

THREADS = 2
"""That restore originals ahead of whoever reads a whole exam."""

Fault = Callable[[Location, SdfoError], None]
"""Told of each copy that could not be used, before the next one is tried."""


Recall = Callable[[Location], bool]
"""Asked for a copy on a volume that is on tape, where no other copy gave the bytes; whether it is here now."""


def ignore(location: Location, error: SdfoError) -> None:
    """A `Fault` for callers that have nobody to tell."""


def leave(location: Location) -> bool:
    """A `Recall` for callers that do not wait for tapes."""
    return False


class Reader:
    def __init__(self, settings: Settings, fault: Fault = ignore, recall: Recall = leave) -> None:
        self.settings, self.fault, self.recall = settings, fault, recall

    @cached_property
    def san(self) -> San:
        return San(self.settings.san.root, self.settings.san.exam_depth)

    @cached_property
    def hdfs(self) -> Store:
        return open_store(self.settings.hdfs.root, self.settings.hdfs)

    @cached_property
    def nearline(self) -> Store:
        return open_store(self.settings.nearline.root, self.settings.hdfs)

    @cached_property
    def tape(self) -> TapeStore:
        """Volumes that lie in the staging area; a copy on any other is `OnTape`."""
        return TapeStore(open_store(self.settings.tape.root, self.settings.hdfs))

    def store(self, tier: Tier) -> Store:
        """Where the parts of a tier lie. `Missing` for one that has no store of parts."""
        if tier is Tier.HDFS:
            return self.hdfs
        if tier is Tier.NEARLINE:
            return self.nearline
        if tier is Tier.TAPE:
            return self.tape
        raise Missing(f"no reader for tier {tier}")

    def part(self, location: Location) -> Part:
        """The S-DICOM file that holds a copy; the caller closes it."""
        return Part.open(self.store(location.tier), location.path or "")

    def read(self, copies: Sequence[Location]) -> bytes:
        """One file, whole, from the first of its copies that proves to be so. `NotFound` if none does."""
        return self.first(copies, self._read)

    def each(self, files: Sequence[Sequence[Location]]) -> Iterator[bytes]:
        """Each file as `read` gives it. Neighbours whose first copies lie in one S-DICOM file come out of one reading."""
        for place, group in groupby(files, _part_of):
            copies = list(group)
            yield from map(self.read, copies) if place is None else self._together(place, copies)

    def _together(self, place: _Place, files: Sequence[Sequence[Location]]) -> Iterator[bytes]:
        """What does not come whole this way is read as if it were alone: that finds, and tells, what is wrong."""
        done, values = 0, self._by_index if place.indexed else self._by_extent
        with suppress(StoreError, FormatError):
            for copies, (found, data) in zip(files, values(place, [copies[0] for copies in files]), strict=True):
                yield data if found == copies[0].sha256 else self.read(copies)
                done += 1
        yield from map(self.read, files[done:])

    def _by_extent(self, place: _Place, files: Sequence[Location]) -> Iterator[tuple[str, bytes]]:
        """Digest and bytes of each file, whose places the catalog knows."""
        with self.store(place.tier).open(place.path) as source:
            for data in source.each([each.extent or Extent(0, 0) for each in files]):
                yield sha256(data).hexdigest(), data

    def _by_index(self, place: _Place, files: Sequence[Location]) -> Iterator[tuple[str, bytes]]:
        """The same out of a copy whose own index says where they lie, and proves them."""
        with self.part(files[0]) as part:
            records = [_record(part, each) for each in files]
            for record, data in part.originals(records, THREADS):
                yield _digest(record), data

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
        """What `use` makes of the first copy that it can use. One on tape is recalled, if nothing else is left."""
        on_tape = list[Location]()
        for location in copies:
            try:
                return use(location)
            except OnTape:
                on_tape.append(location)
            except (SanError, StoreError, FormatError, NotFound) as error:
                self.fault(location, error)
        for location in on_tape:
            if self.recall(location):
                try:
                    return use(location)
                except (StoreError, FormatError, NotFound) as error:
                    self.fault(location, error)
        study = copies[0].study if copies else None
        after = f"sdfo recall {study}" if on_tape else f"sdfo locate {study}"
        raise NotFound(f"no whole copy of a file of study {study} can be reached", next_command=after)

    def _read(self, location: Location) -> bytes:
        if _is_indexed(location):
            return self._original(location)
        with self.open(location) as source:
            extent = _extent(location, source)
            data = source.read(extent.offset, extent.length)
        _prove(location, sha256(data).hexdigest())
        return data

    def _original(self, location: Location) -> bytes:
        with self.part(location) as part:
            record = _record(part, location)
            _prove(location, _digest(record))
            return part.original(record)

    def _head(self, location: Location) -> bytes:
        if location.path is not None and location.path.endswith(".sdicom"):
            with self.part(location) as part:
                kept = part.head(part.by_name(escape_name(location.name)))
            return self._read(location) if kept is None else kept[0]
        with self.open(location) as file:
            pixels = examine(file).pixels
            return file.read(0, file.size if pixels is None else pixels.offset)

    def stream(self, location: Location) -> Iterator[bytes]:
        """One copy's bytes; `RecordMismatch` after the last if they are not what they should be."""
        if _is_indexed(location):
            yield self._original(location)
            return
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
        return self.store(location.tier).open(location.path or "")

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


@dataclass(frozen=True, slots=True)
class _Place:
    """An S-DICOM file; `indexed`: its own index must be asked where a file lies in it."""

    tier: Tier
    path: str
    indexed: bool


def _is_indexed(location: Location) -> bool:
    """Whether a copy lies in an S-DICOM file of which the catalog knows no places."""
    return location.extent is None and location.path is not None and location.path.endswith(".sdicom")


def _part_of(copies: Sequence[Location]) -> _Place | None:
    """The S-DICOM file in which the first copy is a record with a digest."""
    first = copies[0]
    indexed = _is_indexed(first)
    if first.tier is Tier.SAN or first.path is None or first.sha256 is None or not (first.extent or indexed):
        return None
    return _Place(first.tier, first.path, indexed)


def _record(part: Part, location: Location) -> Record:
    """A copy that lacks one of its part's files is no whole copy."""
    try:
        return part.by_name(escape_name(location.name))
    except NotFound as error:
        raise SdicomError(error.what, path=error.path) from error


def _digest(record: Record) -> str:
    """Of the original."""
    return record.sha256 if record.original is None else record.original.sha256


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
