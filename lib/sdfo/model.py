"""The values that travel between the floors: frozen, small, and free of I/O."""

from __future__ import annotations

import enum
import hashlib
import re
import uuid
from dataclasses import dataclass
from datetime import date


class Kind(enum.StrEnum):
    """What a file of an exam folder turned out to be."""

    DICOM = "dicom"
    """Proven whole by the structural walk."""
    DAMAGED = "damaged"
    """Looks like DICOM and is not whole; archived byte for byte all the same."""
    OTHER = "other"
    """DICOMDIR, notes, Thumbs.db: not an image's file; archived byte for byte."""


class Form(enum.StrEnum):
    """What a record's value is (docs/format.md)."""

    FILE = "file"
    CODESTREAM = "codestream"


class Tier(enum.StrEnum):
    """A place with an availability, cheapest first: the order in which a reader tries them."""

    SAN = "san"
    HDFS = "hdfs"
    NEARLINE = "nearline"
    TAPE = "tape"


@dataclass(frozen=True, slots=True)
class Extent:
    """A byte range."""

    offset: int
    length: int

    @property
    def end(self) -> int:
        return self.offset + self.length


Frames = tuple[tuple[Extent, ...], ...]
"""Per frame, the fragments that hold it, as byte ranges of the file."""


@dataclass(frozen=True, slots=True)
class FileStamp:
    """One file of an exam folder as a listing shows it. `name` is relative to the exam folder, raw bytes, `/` inside."""

    name: bytes
    size: int
    mtime_ns: int
    ctime_ns: int


@dataclass(frozen=True, slots=True)
class Description:
    """What Map yields for one file: everything Reduce must know before it writes, and no pixel.

    `head` is zstd of the file's bytes before its pixel data's value followed by those after it; None where there are
    none to keep (`head_length` None) or where they are too long to be shuffled (Reduce then reads them from the file).
    `study`, `series`, `sop` are as the file has them, whatever they contain: check with `is_uid` before use as a path.
    """

    stamp: FileStamp
    sha256: str
    kind: Kind
    reason: str | None = None
    study: str | None = None
    series: str | None = None
    sop: str | None = None
    sop_class: str | None = None
    transfer_syntax: str | None = None
    study_date: str | None = None
    head_length: int | None = None
    tail_length: int | None = None
    head: bytes | None = None
    pixels: str | None = None
    frames: Frames | None = None


@dataclass(frozen=True, slots=True)
class Location:
    """A copy of one file, and where in it the file lies.

    On the SAN: `folder` and `name`. On the other tiers: `path` in the tier's store and `extent`, the value's bytes
    counted from the beginning of that file. `sha256` is None only for a SAN file that no night has read yet.
    `version` counts the records that share a SOP Instance UID, 0 = the one a reader is given.
    """

    tier: Tier
    study: str
    series: str | None
    sop: str | None
    folder: bytes
    name: bytes
    size: int
    sha256: str | None
    kind: Kind | None = None
    path: str | None = None
    extent: Extent | None = None
    form: Form = Form.FILE
    version: int = 0


class Fate(enum.StrEnum):
    """What became of a file that a scan saw: each has exactly one, and a night's ledger counts them (docs/operations)."""

    ARCHIVED = "archived tonight"
    ALREADY = "already archived"
    SETTLING = "settling"
    WAITING = "waiting for the first load"
    CHANGED = "changed or vanished meanwhile"
    UNREADABLE = "unreadable"
    IRREGULAR = "not a regular file"
    NO_EXAM = "in no exam"
    SET_ASIDE = "set aside with its exam"


@dataclass(frozen=True, slots=True)
class ExamTask:
    """An exam folder's files to archive tonight.

    `known`: (study, digest) of what its studies already hold. `home`: the study most of its earlier files belong to.
    """

    folder_id: int
    folder: bytes
    files: tuple[FileStamp, ...]
    known: tuple[tuple[str, str], ...] = ()
    home: str | None = None

    @property
    def size(self) -> int:
        return sum(f.size for f in self.files)


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """What became of one file of a task. `ordinal` counts the folder's files by name, from 0.

    `alias`: the study holds these bytes already, under another name; the catalog points there, no record is written.
    """

    stamp: FileStamp
    ordinal: int
    fate: Fate
    kind: Kind | None = None
    reason: str | None = None
    study: str | None = None
    sha256: str | None = None
    alias: bool = False


@dataclass(frozen=True, slots=True)
class PartOutcome:
    """An S-DICOM file written as an attempt. `apart` pairs each plain file's attempt with its name beside the part.

    `size` is that of all these files.
    """

    study: str
    attempt: str
    path: str
    check: str
    size: int
    records: int
    apart: tuple[tuple[str, str], ...] = ()
    flag: str | None = None


@dataclass(frozen=True, slots=True)
class ExamOutcome:
    """What Reduce made of one task. `reason` is set where the exam as a whole was not converted."""

    folder_id: int
    folder: bytes
    files: tuple[FileOutcome, ...]
    parts: tuple[PartOutcome, ...] = ()
    reason: str | None = None
    seconds: float = 0.0


_UID = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+")

_CODE = re.compile(r"[A-Z0-9]{2,6}")


def is_uid(text: str | None) -> bool:
    """Whether `text` is a UID: digits and dots, components without leading zeros, at most 64 characters.

    DICOM PS3.5 section 9.1.
    """
    return text is not None and len(text) <= 64 and _UID.fullmatch(text) is not None


def modality_text(modality: str) -> str:
    """A Modality (0008,0060) as a reason may quote it: a short code (PS3.3 section C.7.3.1.1.1); else anything could stand
    there."""
    return modality if _CODE.fullmatch(modality) else "unknown" if not modality else "that is no code"


def path_part(uid: str) -> str:
    """A UID as part of a path; what is none becomes its SHA-256, for it may be `../../etc/x`."""
    return uid if is_uid(uid) else hashlib.sha256(uid.encode(errors="surrogatepass")).hexdigest()


def derived_uid(*parts: bytes) -> str:
    """A UID that depends on `parts` alone: 2.25 and a UUIDv5 (PS3.5 section B.2), lengths included so no two run together."""
    joined = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, joined.hex()).int}"


_DATE = re.compile(r"([0-9]{4})(\.?)([0-9]{2})\2([0-9]{2})")


def valid_date(text: str | None) -> str | None:
    """A DICOM DA value (PS3.5 section 6.2, YYYYMMDD; the ACR-NEMA dots allowed) if it is a real day, else None."""
    found = _DATE.fullmatch((text or "").strip(" \0"))
    if found is None:
        return None
    year, _, month, day = found.groups()
    try:
        date(int(year), int(month), int(day))
    except ValueError:
        return None
    return year + month + day
