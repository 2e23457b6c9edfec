"""Every truncation at any byte and every flipped bit is noticed, each with its own error."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sdfo.errors import FormatError, HeaderMismatch, LengthMismatch, NotSdicom, RecordMismatch, SdicomError
from sdfo.sdicom import Part
from sdfo.seqfile import PREAMBLE, Reader
from sdfo.stores import CHUNK
from sdfo.stores.local import LocalStore

Make = Callable[..., Any]


def verdict(store: LocalStore, path: str) -> SdicomError | None:
    """What opening and the deep check say; anything but our own error fails the test as it is."""
    try:
        with Part.open(store, path) as part:
            part.check(deep=True)
    except SdicomError as error:
        return error
    return None


def test_every_truncation_is_noticed(store: LocalStore, exam: Any, tmp_path: Path) -> None:
    """Without its class names it is no S-DICOM file; from there on it is one that is too short."""
    planned = exam.write(store)
    assert planned.size <= 4096
    assert verdict(store, exam.path) is None
    for length in reversed(range(planned.size)):
        os.truncate(tmp_path / exam.path, length)
        expected = NotSdicom if length < len(PREAMBLE) else LengthMismatch
        assert type(verdict(store, exam.path)) is expected, length


@pytest.mark.parametrize("more", [b"\0", b"\xff\xff\xff\xff", bytes(5000)])
def test_surplus_bytes_are_noticed(store: LocalStore, exam: Any, tmp_path: Path, more: bytes) -> None:
    planned = exam.write(store)
    with (tmp_path / exam.path).open("ab") as file:
        file.write(more)
    error = verdict(store, exam.path)
    assert type(error) is LengthMismatch
    assert (error.expected, error.found) == (planned.size, planned.size + len(more))


def expected_of(offset: int, version: range, header: int) -> tuple[type[SdicomError], ...]:
    """Which errors may answer a flip at `offset`: a flipped length in the header may point beyond the end."""
    if offset < len(PREAMBLE) or offset in version:
        return NotSdicom, HeaderMismatch, LengthMismatch
    return (HeaderMismatch, LengthMismatch) if offset < header else (RecordMismatch,)


def test_every_flipped_bit_is_noticed(store: LocalStore, exam: Any, tmp_path: Path) -> None:
    """Of a file with every kind of row: header, framing, keys, values."""
    planned = exam.write(store)
    data, header = store.read_all(exam.path), len(planned.header)
    version = range(len(PREAMBLE), data.index(b"sdicom.study"))
    seen = set[type]()
    with (tmp_path / exam.path).open("r+b", buffering=0) as file:
        for offset, byte in enumerate(data):
            for bit in range(8):
                os.pwrite(file.fileno(), bytes([byte ^ 1 << bit]), offset)
                error = verdict(store, exam.path)
                assert type(error) in expected_of(offset, version, header), (offset, bit)
                seen.add(type(error))
            os.pwrite(file.fileno(), bytes([byte]), offset)
    assert verdict(store, exam.path) is None
    assert seen == {NotSdicom, HeaderMismatch, LengthMismatch, RecordMismatch}


def test_opening_alone_proves_the_header(store: LocalStore, exam: Any, tmp_path: Path) -> None:
    """But for the heads: whoever opens a file may believe its index, study, folder, check and size."""
    planned = exam.write(store)
    with Part.open(store, exam.path) as part:
        heads = range(part.front.heads.offset, part.front.heads_check.end)
    offsets = [n for n in range(len(planned.header)) if n not in heads]
    with (tmp_path / exam.path).open("r+b", buffering=0) as file:
        for offset in offsets:
            byte = planned.header[offset]
            os.pwrite(file.fileno(), bytes([byte ^ 4]), offset)
            with pytest.raises(SdicomError):
                Part.open(store, exam.path)
            os.pwrite(file.fileno(), bytes([byte]), offset)


def test_no_head_comes_out_of_spoiled_heads(store: LocalStore, exam: Any, tmp_path: Path) -> None:
    """Some flips in base64 unpack to the same bytes; they too are noticed by whoever asks for a head."""
    planned = exam.write(store)
    with Part.open(store, exam.path) as part:
        places = [*range(part.front.heads.offset, part.front.heads.end)]
        places += range(part.front.heads_check.offset, part.front.heads_check.end)
    with (tmp_path / exam.path).open("r+b", buffering=0) as file:
        for offset in places:
            for bit in range(8):
                os.pwrite(file.fileno(), bytes([planned.header[offset] ^ 1 << bit]), offset)
                with Part.open(store, exam.path) as part, pytest.raises(HeaderMismatch):
                    part.head(part.by_name("CT/1.dcm"))
            os.pwrite(file.fileno(), planned.header[offset : offset + 1], offset)


def test_flips_in_an_escape_are_noticed(store: LocalStore, make_exam: Make, make_member: Make, tmp_path: Path) -> None:
    """The escape and its marker belong to the framing of the record that follows."""
    exam = make_exam([make_member(b"%d" % n, bytes(600_000)) for n in range(3)])
    exam.write(store)
    with store.open(exam.path) as source:
        (escape,) = [e.position for e in Reader.open(source).entries() if e.escaped]
    data = store.read_all(exam.path)
    with (tmp_path / exam.path).open("r+b", buffering=0) as file:
        for offset in range(escape, escape + 20):
            os.pwrite(file.fileno(), bytes([data[offset] ^ 0x10]), offset)
            assert type(verdict(store, exam.path)) is RecordMismatch
            os.pwrite(file.fileno(), data[offset : offset + 1], offset)
    assert verdict(store, exam.path) is None


def test_a_large_value_is_hashed_in_pieces(
    store: LocalStore, make_exam: Make, make_member: Make, tmp_path: Path
) -> None:
    """Two of 4 MiB and a rest shorter than the tail, which so lies in two; a flip in any is noticed."""
    length = 2 * CHUNK + 30_000
    exam = make_exam([make_member(b"a", os.urandom(length), head=300, tail=50_000)])
    planned = exam.write(store)
    assert verdict(store, exam.path) is None
    first = planned.size - length
    with (tmp_path / exam.path).open("r+b", buffering=0) as file:
        for offset in (first, first + 5_000_000, planned.size - 1):
            byte = os.pread(file.fileno(), 1, offset)
            os.pwrite(file.fileno(), bytes([byte[0] ^ 1]), offset)
            assert type(verdict(store, exam.path)) is RecordMismatch
            os.pwrite(file.fileno(), byte, offset)


def test_heads_of_another_file_are_noticed(store: LocalStore, make_exam: Make, make_member: Make) -> None:
    """A header may agree with itself and yet hold heads that are not the values' own bytes: each end is compared."""
    for length in (50, 5_000_000):
        for at in (0, 11, 12, 19):
            wrong = make_member(b"a", bytes(length), head=12, tail=8)
            head = bytearray(20)
            head[at] = 1
            exam = make_exam([type(wrong)(wrong.record, wrong.value, bytes(head))], path=f"exams/{length}-{at}.sdicom")
            exam.write(store)
            with Part.open(store, exam.path) as part:
                part.check()
                with pytest.raises(HeaderMismatch):
                    part.check(deep=True)


@pytest.mark.parametrize("name", ["Text", "BytesWritable"])
def test_another_sequence_file_is_not_sdicom(store: LocalStore, exam: Any, name: str) -> None:
    """Of other classes, or of these without our metadata."""
    planned = exam.plan()
    store.put("a", planned.header.replace(name.encode(), name.upper().encode()))
    store.put("b", PREAMBLE + bytes(4) + bytes(16))
    store.put("c", b"")
    for path in "abc":
        error = verdict(store, path)
        assert type(error) is NotSdicom
        assert isinstance(error, FormatError)
        assert error.path == path
