"""What the catalog is told of one part, and the one way to take it from an S-DICOM file: publish and rebuild share it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sdfo.catalog.attributes import StudyAttributes
from sdfo.catalog.quarantine import QuarantineNote
from sdfo.model import FileStamp, Form, Kind


@dataclass(frozen=True, slots=True)
class InstanceEntry:
    """A record of the part, or a file kept apart beside it (`path` given, `offset` 0). `name` is the SAN's own bytes."""

    name: bytes
    kind: Kind
    sop: str | None
    series: str | None
    sop_class: str | None
    offset: int
    length: int
    sha256: str
    pixels: str | None
    reason: str | None = None
    path: str | None = None


class FileMark(NamedTuple):
    """A SAN file that is now archived: as a record, or as an alias of one the study already holds.

    What follows `state` is for rebuild, which has no row to take it from.
    """

    folder_id: int
    stamp: FileStamp
    sha256: str
    state: str = "archived"
    first_seen: datetime | None = None
    series: str | None = None
    sop: str | None = None
    sop_class: str | None = None


@dataclass(frozen=True, slots=True)
class PartEntry:
    """One part and its copy at `path`. `instances`: the records in their order, then the files kept apart.

    `files` are the SAN files that are safe with it; `quarantines` what else a person should look at: damaged records are
    set aside without being named here.
    """

    study: str
    folder: bytes
    check: str
    path: str
    size: int
    tier: str
    codec: str
    form: Form
    first_record: int
    attributes: StudyAttributes
    instances: tuple[InstanceEntry, ...]
    files: tuple[FileMark, ...] = ()
    quarantines: tuple[QuarantineNote, ...] = ()
