"""What the catalog is told of one part, and the one way to take it from an S-DICOM file: publish and rebuild share it."""

from __future__ import annotations

from dataclasses import dataclass

from sdfo.catalog.attributes import StudyAttributes
from sdfo.catalog.quarantine import QuarantineNote
from sdfo.catalog.san import FileMark
from sdfo.model import Form, Kind


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
