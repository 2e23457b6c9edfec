"""Reading an S-DICOM file: by name, by SOP UID, by range, streaming, head alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from hashlib import sha256
from types import TracebackType
from typing import Self

from sdfo.ahead import ahead
from sdfo.errors import HeaderMismatch, NotFound, OutOfRange, SdicomError
from sdfo.model import Extent
from sdfo.sdicom.checking import CheckReport, check_aparts, check_header, check_values
from sdfo.sdicom.front import Front, read_front, translated
from sdfo.sdicom.heads import Heads
from sdfo.sdicom.record import Record
from sdfo.sdicom.value import compare, read_extent
from sdfo.stores import CHUNK, Source, Store


class Part:
    """An open S-DICOM file whose header was proven. For several threads; whoever opened it closes it.

    `records` builds each `Record` when it is asked for. `first_record` is the position that `Record.offset` counts from.
    """

    def __init__(self, store: Store, source: Source, front: Front) -> None:
        self.store, self.source, self.front = store, source, front
        self.path, self.size = source.path, source.size
        self.study, self.folder, self.check_digest = front.study, front.folder, front.check
        self.sync, self.first_record = front.sync, front.end
        self.records, self.aparts = front.index, front.index.aparts

    @classmethod
    def open(cls, store: Store, path: str) -> Part:
        """Reads the header but for its heads, in a few positioned reads.

        `Missing`; `NotSdicom`, `HeaderMismatch`, `LengthMismatch`.
        """
        source = store.open(path)
        try:
            return cls(store, source, read_front(source))
        except BaseException:
            source.close()
            raise

    def close(self) -> None:
        self.source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def by_name(self, name: str) -> Record:
        """`name` as the index has it (`escape_name`). `NotFound`, which does not repeat it."""
        try:
            return self.records[self._numbers[name]]
        except KeyError:
            raise NotFound("no record of this name", path=self.path) from None

    def by_sop(self, uid: str) -> tuple[Record, ...]:
        """Every record of this SOP Instance UID, in record order; a folder may hold it twice."""
        return tuple(self.records[number] for number in self._by_sop.get(uid, ()))

    def extent(self, record: Record) -> Extent:
        """The value's bytes in the file."""
        return Extent(self.first_record + record.offset, record.length)

    def value(self, record: Record) -> bytes:
        """The value, in one read. `RecordMismatch` if its digest is not the index's."""
        return read_extent(self.source, self.extent(record), record.sha256)

    def values(self, records: Sequence[Record] | None = None) -> Iterator[tuple[Record, bytes]]:
        """Every record (or of `records` each) and its value, out of one reading of the file. `RecordMismatch` as `value`."""
        chosen = list(self.records if records is None else records)
        extents = [self.extent(record) for record in chosen]
        with translated(self.path):
            for record, extent, data in zip(chosen, extents, self.source.each(extents), strict=True):
                compare(self.path, extent.offset, record.sha256, sha256(data).hexdigest())
                yield record, data

    def original(self, record: Record) -> bytes:
        """The file as it was received: the value, or what a compressed one stands for, proven by its SHA-256.

        `RecordMismatch`, `CodecError`, or `SdicomError` for a way back that is not known.
        """
        return self._original((record, self.value(record)))[1]

    def stored(self, record: Record) -> bytes:
        """A file as other software reads it: of a compressed value the DICOM object with its codestreams, else the value."""
        value = self.value(record)
        if record.original is None:
            return value
        from sdfo.sdicom.restoring import stored

        return stored(record, value, self.head(record), self.path)

    def originals(self, records: Sequence[Record] | None = None, threads: int = 1) -> Iterator[tuple[Record, bytes]]:
        """`values`, each as `original` gives it, by so many threads."""
        with ahead(self._original, self.values(records), threads) as restored:
            yield from restored

    def _original(self, item: tuple[Record, bytes]) -> tuple[Record, bytes]:
        record, value = item
        if record.original is None:
            return item
        from sdfo.sdicom.restoring import restored  # most parts need no decoder

        return record, restored(record, value, self.head(record), self.path)

    def stream(self, record: Record, chunk: int = CHUNK) -> Iterator[bytes]:
        """The value in pieces. Trust none before the last was taken: only then `RecordMismatch` can be told."""
        digest, extent = sha256(), self.extent(record)
        for offset in range(0, record.length, chunk):
            piece = self._read(extent.offset + offset, min(chunk, record.length - offset))
            digest.update(piece)
            yield piece
        compare(self.path, extent.offset, record.sha256, digest.hexdigest())

    def range(self, record: Record, offset: int, length: int) -> bytes:
        """`length` bytes from `offset` of the value, not verified. `OutOfRange` outside it."""
        if offset < 0 or length < 0 or offset + length > record.length:
            found = record.length - offset
            raise OutOfRange("outside the value", path=self.path, offset=offset, expected=length, found=found)
        return self._read(self.extent(record).offset + offset, length)

    def frame(self, record: Record, number: int) -> bytes:
        """One frame, from 0, its fragments joined; not verified. `OutOfRange` if there is no such frame."""
        if record.frames is None:
            raise SdicomError("the frames of this record are not known: read it whole", path=self.path)
        if not 0 <= number < len(record.frames):
            raise OutOfRange("no such frame", path=self.path, expected=f"0 … {len(record.frames) - 1}", found=number)
        return b"".join(self.range(record, part.offset, part.length) for part in record.frames[number])

    def head(self, record: Record) -> tuple[bytes, bytes] | None:
        """The original file's bytes before and after its pixel data's value; None where the heads do not hold them.

        The first call reads the heads of the whole file; each unpacks one block at most.
        """
        number = self._numbers.get(record.name)
        raw = None if number is None else self._heads.of(number)
        return None if raw is None or record.head is None else (raw[: record.head], raw[record.head :])

    def heads(self) -> Iterator[tuple[Record, bytes, bytes]]:
        """Every record that has them, with head and tail, in record order. No value is read."""
        for number, raw in self._heads.all():
            record = self.records[number]
            yield record, raw[: record.head], raw[record.head :]

    def check(self, deep: bool = False, threads: int = 1, originals: bool = False) -> CheckReport:
        """Whether the file is whole; raises what is wrong first. Not deep: the header, heads too, and every place in it.

        Deep: besides, header and framing are encoded again and compared, every value and every file beside is hashed,
        and the heads are compared with the values' own bytes; by so many `threads`. `originals`: besides, every
        compressed value is decoded, and must give the file that it stands for.
        """
        records = tuple(self.records)
        report = check_header(self.source, self.front, self._heads, records)
        if deep:
            report += check_values(self.source, self.front, self._heads, records, threads)
            report += check_aparts(self.store, self.path, self.aparts)
        if originals:
            compressed = [record for record in records if record.original is not None]
            report += CheckReport(restored=sum(1 for _ in self.originals(compressed, threads)))
        return report

    def _read(self, offset: int, length: int) -> bytes:
        with translated(self.path):
            return self.source.read(offset, length)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.records.columns["name"])}

    @cached_property
    def _by_sop(self) -> dict[str, list[int]]:
        numbers = dict[str, list[int]]()
        for number, uid in enumerate(self.records.columns["sop"]):
            numbers.setdefault(uid, []).append(number)
        return numbers

    @cached_property
    def _heads(self) -> Heads:
        place, check = self.front.heads, self.front.heads_check
        text, expected = self._read(place.offset, place.length), self._read(check.offset, check.length)
        found = sha256(text).hexdigest()
        if expected != found.encode():
            shown = expected.decode("ascii", "replace")
            raise HeaderMismatch("sdicom.heads.check", path=self.path, offset=check.offset, expected=found, found=shown)
        return Heads(self.records.head_sizes(), text, self.path)
