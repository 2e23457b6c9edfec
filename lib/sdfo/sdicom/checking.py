"""Proving an S-DICOM file whole: every truncation and every flipped bit is noticed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from sdfo.ahead import ahead
from sdfo.errors import HeaderMismatch, LengthMismatch, Missing, RecordMismatch, SdicomError
from sdfo.model import Form
from sdfo.sdicom.front import Front, translated
from sdfo.sdicom.heads import Heads
from sdfo.sdicom.layout import header_of
from sdfo.sdicom.names import escape_name
from sdfo.sdicom.planning import framed, lay_out
from sdfo.sdicom.record import Apart, Record
from sdfo.sdicom.table import encode_index
from sdfo.sdicom.value import compare
from sdfo.stores import CHUNK, Source, Store


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What was proven. `bytes` counts what was hashed, of records and of `aparts` files beside; 0 unless the check was deep.

    `absent`: files that belong beside this one and do not lie there. `restored`: originals that came out of compressed
    values, where these were asked for.
    """

    records: int = 0
    heads: int = 0
    bytes: int = 0
    aparts: int = 0
    absent: tuple[str, ...] = ()
    restored: int = 0

    def __add__(self, other: CheckReport) -> CheckReport:
        return CheckReport(
            self.records + other.records,
            self.heads + other.heads,
            self.bytes + other.bytes,
            self.aparts + other.aparts,
            self.absent + other.absent,
            self.restored + other.restored,
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
    header = header_of(front.study.encode(), escape_name(front.folder).encode(), index, text)
    _same(source.path, 0, header, stored, HeaderMismatch)
    return CheckReport(records=len(records), heads=sum(size is not None for size in front.index.head_sizes()))


def _same(
    path: str, offset: int, expected: bytes | memoryview, found: bytes | memoryview, kind: type[SdicomError]
) -> None:
    """Refuse what differs. Of the bytes only the first that does is shown: there may be a patient's name among them."""
    if expected != found:
        pairs = enumerate(zip(expected, found, strict=False))
        at = next((n for n, (a, b) in pairs if a != b), min(len(expected), len(found)))
        shown = [bytes(data[at : at + 1]).hex() or "nothing" for data in (expected, found)]
        what = "a byte of the header" if kind is HeaderMismatch else "framing or key of a record"
        raise kind(what, path=path, offset=offset + at, expected=shown[0], found=shown[1])


def check_values(
    source: Source, front: Front, heads: Heads, records: tuple[Record, ...], threads: int = 1
) -> CheckReport:
    """Framing, key and digest of every record, and that the heads are the values' own bytes."""

    def check(place: tuple[Record, bytes, bytes | None]) -> int:
        record, before, edges = place
        _Walk(source, record, front.end + record.offset - len(before)).check(before, edges)
        return record.length

    placed = enumerate(framed(records, front.sync))
    places = ((record, before, heads.of(number)) for number, (record, before) in placed)
    with translated(source.path), ahead(check, places, threads) as lengths:
        return CheckReport(bytes=sum(lengths))


class _Walk:
    """One record, read once, in pieces."""

    def __init__(self, source: Source, record: Record, start: int) -> None:
        self._source, self._record, self._start = source, record, start
        self._digest, self._head, self._tail = sha256(), b"", b""

    def check(self, before: bytes, edges: bytes | None) -> None:
        record, length = self._record, len(before) + self._record.length
        first = memoryview(self._source.read(self._start, min(length, len(before) + CHUNK)))
        _same(self._source.path, self._start, before, first[: len(before)], RecordMismatch)
        self._head = bytes(first[len(before) :][: record.head or 0])
        self._take(first[len(before) :])
        for piece in self._source.stream(self._start + len(first), length - len(first)):
            self._take(memoryview(piece))
        compare(self._source.path, self._start + len(before), record.sha256, self._digest.hexdigest())
        own = record.form is Form.FILE and record.original is None  # else the heads are another file's: the original's
        if own and edges is not None and edges != self._head + self._tail:
            raise HeaderMismatch("the heads differ from a value's bytes", path=self._source.path, offset=self._start)

    def _take(self, piece: memoryview) -> None:
        self._digest.update(piece)
        if tail := self._record.tail:
            self._tail = (self._tail + bytes(piece[-tail:]))[-tail:]


def check_aparts(store: Store, path: str, aparts: Iterable[Apart]) -> CheckReport:
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
    compare(source.path, 0, apart.sha256, digest.hexdigest())
    return CheckReport(bytes=source.size, aparts=1)
