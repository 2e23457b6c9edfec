"""Proving an S-DICOM file whole: every truncation and every flipped bit is noticed."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from sdfo.errors import HeaderMismatch, LengthMismatch, Missing, RecordMismatch, SdicomError
from sdfo.model import Form
from sdfo.sdicom.front import Front, translated
from sdfo.sdicom.heads import Heads
from sdfo.sdicom.layout import header_of
from sdfo.sdicom.names import escape_name
from sdfo.sdicom.planning import framed, lay_out
from sdfo.sdicom.record import Apart, Record
from sdfo.sdicom.table import encode_index
from sdfo.stores import CHUNK, Source, Store


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What was proven. `bytes` counts what was hashed, of records and of `aparts` files beside; 0 unless the check was deep.

    `absent`: files that belong beside this one and do not lie there.
    """

    records: int = 0
    heads: int = 0
    bytes: int = 0
    aparts: int = 0
    absent: tuple[str, ...] = ()

    def __add__(self, other: CheckReport) -> CheckReport:
        return CheckReport(
            self.records + other.records,
            self.heads + other.heads,
            self.bytes + other.bytes,
            self.aparts + other.aparts,
            self.absent + other.absent,
        )


def check_header(source: Source, front: Front, heads: Heads, records: tuple[Record, ...]) -> CheckReport:
    """The header is what the writer makes of the rows in it, byte for byte, and the heads are those it names."""
    found = heads.sha256()
    if found != front.index.heads:
        raise HeaderMismatch("SHA-256 of the heads", path=source.path, expected=front.index.heads, found=found)
    aparts = front.index.aparts
    try:
        placed, beside, _ = lay_out(records, aparts)
    except SdicomError as error:
        raise HeaderMismatch(f"the index: {error.what}", path=source.path) from error
    if (placed, beside) != (records, aparts):
        raise HeaderMismatch("order or places of the index", path=source.path)
    with translated(source.path):
        text, stored = source.read(front.heads.offset, front.heads.length), source.read(0, front.end)
    index = encode_index(records, found, aparts)
    _same(source.path, 0, header_of(front.study.encode(), escape_name(front.folder).encode(), index, text), stored)
    return CheckReport(records=len(records), heads=sum(size is not None for size in front.index.head_sizes()))


def _same(path: str, offset: int, expected: bytes, found: bytes) -> None:
    if expected != found:
        differ = next((n for n, (a, b) in enumerate(zip(expected, found, strict=False)) if a != b), len(expected))
        shown = expected[differ : differ + 8].hex(), found[differ : differ + 8].hex()
        raise HeaderMismatch(
            "the header is not as it is written", path=path, offset=offset + differ, expected=shown[0], found=shown[1]
        )


def check_values(source: Source, front: Front, heads: Heads, records: tuple[Record, ...]) -> CheckReport:
    """Framing, key and digest of every record, and that the heads are the values' own bytes."""
    total = 0
    with translated(source.path):
        for number, (record, before) in enumerate(framed(records, front.sync)):
            start = front.end + record.offset - len(before)
            _Walk(source, record, start).check(before, heads.of(number))
            total += record.length
    return CheckReport(bytes=total)


class _Walk:
    """One record, read once, in pieces."""

    def __init__(self, source: Source, record: Record, start: int) -> None:
        self._source, self._record, self._start = source, record, start
        self._digest, self._head, self._tail = sha256(), b"", b""

    def check(self, before: bytes, edges: bytes | None) -> None:
        record, length = self._record, len(before) + self._record.length
        first = memoryview(self._source.read(self._start, min(length, len(before) + CHUNK)))
        if first[: len(before)] != before:
            self._refuse("framing or key of a record", before.hex(), first[: len(before)].hex())
        self._head = bytes(first[len(before) :][: record.head or 0])
        self._take(first[len(before) :])
        for piece in self._source.stream(self._start + len(first), length - len(first)):
            self._take(memoryview(piece))
        if self._digest.hexdigest() != record.sha256:
            self._refuse("SHA-256 of a value", record.sha256, self._digest.hexdigest())
        own = record.form is Form.FILE and record.original is None  # else the heads are another file's: the original's
        if own and edges is not None and edges != self._head + self._tail:
            raise HeaderMismatch("the heads differ from a value's bytes", path=self._source.path, offset=self._start)

    def _take(self, piece: memoryview) -> None:
        self._digest.update(piece)
        if tail := self._record.tail:
            self._tail = (self._tail + bytes(piece[-tail:]))[-tail:]

    def _refuse(self, what: str, expected: str, found: str) -> None:
        raise RecordMismatch(what, path=self._source.path, offset=self._start, expected=expected, found=found)


def check_aparts(store: Store, path: str, aparts: tuple[Apart, ...]) -> CheckReport:
    """Length and digest of every file beside the one at `path` that is there."""
    report, folder = CheckReport(), path.rpartition("/")[0]
    for apart in aparts:
        beside = f"{folder}/{apart.path}" if folder else apart.path
        try:
            with store.open(beside) as source:
                report += _check_apart(source, apart)
        except Missing:
            report += CheckReport(absent=(apart.path,))
    return report


def _check_apart(source: Source, apart: Apart) -> CheckReport:
    if source.size != apart.length:
        raise LengthMismatch("length of a file apart", path=source.path, expected=apart.length, found=source.size)
    digest = sha256()
    with translated(source.path):
        for piece in source.stream():
            digest.update(piece)
    if digest.hexdigest() != apart.sha256:
        raise RecordMismatch(
            "SHA-256 of a file apart", path=source.path, offset=0, expected=apart.sha256, found=digest.hexdigest()
        )
    return CheckReport(bytes=source.size, aparts=1)
