"""Reading an S-DICOM file: each way in, what it costs, and what it refuses."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from sdfo.errors import LengthMismatch, Missing, NotFound, OutOfRange, RecordMismatch, SdicomError
from sdfo.model import Extent
from sdfo.sdicom import Part, read_extent, read_value
from sdfo.sdicom.heads import Heads
from sdfo.stores import Source
from sdfo.stores.local import LocalStore

Make = Callable[..., Any]
IMAGE = "CT/1.dcm"


class CountingStore(LocalStore):
    """Counts the bytes and the reads of every file opened."""

    bytes = reads = 0

    def open(self, path: str) -> Source:
        return _Counted(super().open(path), self)


class _Counted(Source):
    def __init__(self, source: Source, store: CountingStore) -> None:
        self.source, self.store, self.path, self.size = source, store, source.path, source.size

    def read(self, offset: int, length: int) -> bytes:
        self.store.bytes += length
        self.store.reads += 1
        return self.source.read(offset, length)

    def close(self) -> None:
        self.source.close()


def test_each_way_to_a_value(part: Part, exam: Any) -> None:
    """By name, by UID, whole, in pieces, by range: the same bytes."""
    for record in part.records:
        value = exam.value(record.name)
        assert part.by_name(record.name) == record
        assert part.value(record) == value
        assert b"".join(part.stream(record, chunk=7)) == value
        assert part.range(record, 0, record.length) == value
        assert part.range(record, record.length // 2, 3 if record.length > 6 else 0) in value
    assert [(record, value) for record, value in part.values()] == [(r, exam.value(r.name)) for r in part.records]
    image = part.by_name(IMAGE)
    assert image.sop is not None
    assert part.by_sop(image.sop) == (image,)
    assert part.by_sop("1.2.3.4") == ()


def test_a_repeated_uid_gives_every_record(store: LocalStore, make_exam: Make, make_member: Make) -> None:
    """A folder may hold one SOP Instance UID twice; names tell them apart."""
    exam = make_exam([make_member(name, name, sop="1.2") for name in (b"b", b"a", b"c")])
    exam.write(store)
    with Part.open(store, exam.path) as part:
        assert [record.name for record in part.by_sop("1.2")] == ["a", "b", "c"]


def test_records_are_a_sequence(part: Part) -> None:
    """Length, positions from either end, slices, iteration."""
    assert len(part.records) == 5
    assert part.records[-1] == list(part.records)[4]
    assert part.records[1:3] == (part.records[1], part.records[2])
    with pytest.raises(IndexError):
        part.records[5]


def test_frames(part: Part, exam: Any) -> None:
    """One frame is one range, or its fragments joined; there is none beyond the last, and none where none are known."""
    image, stream = part.by_name(IMAGE), part.by_name("CT/2.dcm")
    assert [part.frame(image, n) for n in (0, 1)] == [exam.value(IMAGE)[17:49], exam.value(IMAGE)[49:81]]
    assert [part.frame(stream, n) for n in (0, 1)] == [b"codest", b"reams"]
    assert stream.layers == ((3, 6), (5,))
    for number in (-1, 2):
        with pytest.raises(OutOfRange):
            part.frame(image, number)
    with pytest.raises(SdicomError):
        part.frame(part.by_name("empty"), 0)


def test_heads(part: Part, exam: Any) -> None:
    """Head and tail apart, of one record and of all, without a value being read; None where there are none."""
    value = exam.value(IMAGE)
    assert part.head(part.by_name(IMAGE)) == (value[:17], value[-9:])
    assert part.head(part.by_name("CT/2.dcm")) == (b"original head, thirty bytes...", b"\0\0")
    assert part.head(part.by_name("empty")) is None
    assert [(r.name, h, t) for r, h, t in part.heads()] == [
        (r.name, *both) for r in part.records if (both := part.head(r)) is not None
    ]


def test_what_is_not_there(part: Part, store: LocalStore) -> None:
    """A name that is not in the index is not repeated in the error; a range outside the value is refused."""
    with pytest.raises(NotFound) as caught:
        part.by_name("MUSTER^MAX.dcm")
    assert "MUSTER" not in str(caught.value)
    image = part.by_name(IMAGE)
    for offset, length in ((-1, 2), (0, image.length + 1), (image.length, 1), (3, -1)):
        with pytest.raises(OutOfRange):
            part.range(image, offset, length)
    with pytest.raises(Missing):
        Part.open(store, "exams/none.sdicom")


def test_a_value_by_its_place_alone(part: Part, store: LocalStore, exam: Any) -> None:
    """What the catalog knows is enough: no header is read; a wrong place or a shorter file is told."""
    image = part.by_name(IMAGE)
    extent = part.extent(image)
    assert read_value(store, part.path, extent, image.sha256) == exam.value(IMAGE)
    assert read_extent(part.source, extent, image.sha256) == exam.value(IMAGE)
    with pytest.raises(RecordMismatch) as caught:
        read_value(store, part.path, Extent(extent.offset + 1, extent.length), image.sha256)
    assert (caught.value.path, caught.value.offset) == (part.path, extent.offset + 1)
    assert caught.value.expected == image.sha256
    with pytest.raises(LengthMismatch):
        read_value(store, part.path, Extent(extent.offset, part.size), image.sha256)


def test_opening_and_one_image_leave_heads_and_values_alone(tmp_path: Any, make_exam: Make, make_member: Make) -> None:
    """Of 4 MB of heads and 12 MB of values, the first image costs the index and itself, in six reads; the next, one."""
    chance = random.Random(1)
    exam = make_exam([make_member(b"%03d" % n, chance.randbytes(100_000), head=25_000) for n in range(120)])
    store = CountingStore(tmp_path)
    exam.write(store)
    with Part.open(store, exam.path) as part:
        part.value(part.records[7])
        assert part.front.heads.length > 4_000_000
        assert store.bytes < 400_000
        assert store.reads <= 6
        store.bytes = store.reads = 0
        part.value(part.records[8])
        assert (store.bytes, store.reads) == (100_000, 1)
        list(part.heads())
        assert store.bytes < 100_000 + part.front.heads.length + 100


def test_one_head_unpacks_one_block(store: LocalStore, make_exam: Make, make_member: Make) -> None:
    """Blocks end after 1 MiB, so 12 of these heads of 90,000 bytes share one; each reads back."""
    chance = random.Random(2)
    exam = make_exam([make_member(b"%03d" % n, chance.randbytes(90_000), head=80_000, tail=10_000) for n in range(27)])
    exam.write(store)
    with Part.open(store, exam.path) as part:
        text = part.source.read(part.front.heads.offset, part.front.heads.length)
        assert [round(len(block) / 120_000) for block in text.split(b".")] == [12, 12, 3]
        for number in (26, 0, 13, 12, 11):
            record = part.records[number]
            assert part.head(record) == (exam.value(record.name)[:80_000], exam.value(record.name)[80_000:])
        assert part.check(deep=True).heads == 27


class CountingHeads(Heads):
    """Notes which blocks were unpacked."""

    unpacked: ClassVar[list[int]] = []

    def _unpack(self, block: int) -> bytes:
        self.unpacked.append(block)
        return super()._unpack(block)


def test_all_heads_unpack_each_block_once(store: LocalStore, make_exam: Make, make_member: Make) -> None:
    exam = make_exam([make_member(b"%03d" % n, bytes(20_000), head=20_000) for n in range(130)])
    exam.write(store)
    with Part.open(store, exam.path) as part:
        text = part.source.read(part.front.heads.offset, part.front.heads.length)
        heads = CountingHeads(part.records.head_sizes(), text, part.path)
        assert len(list(heads.all())) == 130
    assert heads.unpacked == [0, 1, 2]


def test_many_threads_read_one_part(store: LocalStore, make_exam: Make, make_member: Make) -> None:
    """Values and heads, from four threads at once."""
    exam = make_exam([make_member(b"%d" % n, bytes([n]) * 300_000, head=200_000) for n in range(12)])
    exam.write(store)
    wrong = list[str]()
    with Part.open(store, exam.path) as part:

        def read(seed: int) -> None:
            for record in random.Random(seed).choices(list(part.records), k=40):
                if part.value(record) != exam.value(record.name) or part.head(record) != (
                    part.value(record)[:200_000],
                    b"",
                ):
                    wrong.append(record.name)

        threads = [threading.Thread(target=read, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong


def test_a_damaged_value_is_never_returned(store: LocalStore, exam: Any, tmp_path: Any) -> None:
    """Whole or streamed: the error tells where, and both digests."""
    exam.write(store)
    with Part.open(store, exam.path) as part:
        record = part.by_name(IMAGE)
        with (tmp_path / exam.path).open("r+b") as file:
            file.seek(part.extent(record).offset + 20)
            file.write(b"\xff")
        with pytest.raises(RecordMismatch) as caught:
            part.value(record)
        assert (caught.value.offset, caught.value.expected) == (part.extent(record).offset, record.sha256)
        with pytest.raises(RecordMismatch):
            list(part.stream(record, 10))
        with pytest.raises(RecordMismatch):
            list(part.values())


def test_a_check_says_what_it_proved(part: Part) -> None:
    """Without deep no value is hashed."""
    shallow, deep = part.check(), part.check(deep=True)
    assert (shallow.records, shallow.heads, shallow.bytes, shallow.aparts) == (5, 2, 0, 0)
    assert (deep.records, deep.heads, deep.bytes, deep.aparts, deep.absent) == (5, 2, 144, 1, ())
    assert (deep + deep).bytes == 288


def test_files_apart_are_checked_where_they_lie(part: Part, store: LocalStore, exam: Any, tmp_path: Any) -> None:
    """Absent is said; another length or digest is an error with that file's path."""
    (apart, data), beside = exam.aparts[0], f"exams/{exam.aparts[0][0].path}"
    store.delete(beside)
    assert part.check(deep=True).absent == (apart.path,)
    for wrong, error in ((data + b"x", LengthMismatch), (data[:-1] + b"x", RecordMismatch)):
        store.put(beside, wrong)
        with pytest.raises(error) as caught:
            part.check(deep=True)
        assert caught.value.path == beside
        store.delete(beside)


def test_errors_name_no_file_of_the_san(store: LocalStore, make_exam: Make, make_member: Make, tmp_path: Any) -> None:
    """Names in an exam folder are often patients' names: a mismatch of key or value speaks of offsets, digests, one byte."""
    exam = make_exam([make_member(b"MUSTER^MAX/1.dcm", b"value")], folder=b"MUSTER^MAX")
    planned = exam.write(store)
    data = store.read_all(exam.path)
    for offset in (planned.size - 1, planned.size - 12):
        (tmp_path / exam.path).write_bytes(data[:offset] + b"#" + data[offset + 1 :])
        with Part.open(store, exam.path) as part, pytest.raises(RecordMismatch) as caught:
            part.check(deep=True)
        for name in ("MUSTER", b"MUSTER".hex(), "MAX", b"MAX".hex()):
            assert name not in str(caught.value)
