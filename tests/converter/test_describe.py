"""What Map says of one file."""

from __future__ import annotations

from hashlib import sha256

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from sdfo.converter import Problem, describe
from sdfo.converter.describe import AT_ONCE, SHUFFLE_MOST
from sdfo.model import Description, Fate, FileStamp, Kind
from sdfo.sdicom import HEAD_LIMIT, TAIL_LIMIT, WHOLE_LIMIT
from sdfo.testing.exams import Series
from sdfo.testing.odd import surgery
from sdfo.testing.shipped import shipped

_IMAGE = next(Series("CT", 1, 16).images(1))
_PIXELS = surgery.value_at(_IMAGE, surgery.PIXELS)


def _head_of(length: int) -> bytes:
    """The image with a private value that makes its head so long."""
    private = surgery.element((0x0029, 0x1010), b"OB", b"")
    return surgery.before_pixels(
        _IMAGE, surgery.element((0x0029, 0x1010), b"OB", bytes(length - _PIXELS[0] - len(private)))
    )


def _tail_of(length: int) -> bytes:
    """The image with a value after its pixels that makes its tail so long."""
    return _IMAGE + surgery.element((0xFFFC, 0xFFFC), b"OB", bytes(length - 12))


def _report_of(length: int) -> bytes:
    """A structured report of so many bytes."""
    report = shipped("test-SR.dcm").read_bytes()
    more = length - len(report) - 12
    return report + surgery.element((0xFFFC, 0xFFFC), b"OB", bytes(more))


@pytest.fixture
def described(works):
    def one(data: bytes) -> Description:
        works.fill({b"file": data})
        (found,) = works.describe(works.task())
        assert isinstance(found, Description)
        return found

    return one


def test_a_description_holds_what_the_file_says(described) -> None:
    d = described(_IMAGE)
    series = Series("CT", 1, 16)
    assert (d.kind, d.reason, d.sha256) == (Kind.DICOM, None, sha256(_IMAGE).hexdigest())
    assert (d.study, d.sop, d.series) == (series.study_uid, series.sop_uid(1), f"{series.stem}.0")
    assert (d.head_length, d.tail_length) == (_PIXELS[0], 0)
    assert d.pixels == sha256(_IMAGE[_PIXELS[0] :]).hexdigest()
    assert zstandard.decompress(d.head) == _IMAGE[: _PIXELS[0]]
    assert d.stamp.size == len(_IMAGE)


@pytest.mark.parametrize("length", [SHUFFLE_MOST, SHUFFLE_MOST + 2, HEAD_LIMIT, HEAD_LIMIT + 2])
def test_a_long_head_is_not_shuffled_and_a_longer_one_not_kept(described, works, length: int) -> None:
    """64 KiB and 256 KiB are the limits; what is not shuffled is in the part all the same."""
    data = _head_of(length)
    d = described(data)
    assert d.kind is Kind.DICOM
    assert d.head_length == (length if length <= HEAD_LIMIT else None)
    assert (d.head is not None) == (length <= SHUFFLE_MOST)
    outcome = works.convert()
    with works.part(outcome.parts[0]) as part:
        part.check(deep=True)
        head = part.head(part.records[0])
        assert head == ((data[:length], b"") if length <= HEAD_LIMIT else None)
        assert part.value(part.records[0]) == data


@pytest.mark.parametrize("length", [12, SHUFFLE_MOST, TAIL_LIMIT, TAIL_LIMIT + 2])
def test_a_tail_is_kept_up_to_its_limit(described, works, length: int) -> None:
    data = _tail_of(length)
    d = described(data)
    assert (d.kind, d.head_length is None) == (Kind.DICOM, length > TAIL_LIMIT)
    assert d.tail_length == (length if length <= TAIL_LIMIT else None)
    assert (d.head is not None) == (len(data) - _PIXELS[1] <= SHUFFLE_MOST)
    with works.part(works.convert().parts[0]) as part:
        part.check(deep=True)
        assert part.head(part.records[0]) == ((data[: _PIXELS[0]], data[-length:]) if length <= TAIL_LIMIT else None)


@pytest.mark.parametrize("length", [WHOLE_LIMIT // 2, WHOLE_LIMIT, WHOLE_LIMIT + 2])
def test_without_pixel_data_the_head_is_the_whole_file_or_nothing(described, works, length: int) -> None:
    data = _report_of(length)
    d = described(data)
    assert (d.kind, d.pixels, len(data)) == (Kind.DICOM, None, length)
    assert (d.head_length, d.tail_length) == ((length, 0) if length <= WHOLE_LIMIT else (None, None))
    with works.part(works.convert().parts[0]) as part:
        part.check(deep=True)
        assert part.head(part.records[0]) == ((data, b"") if length <= WHOLE_LIMIT else None)


@pytest.mark.parametrize("data", [b"", b"\0", b"a note\n", bytes(4096), _IMAGE[:-1], _IMAGE[: _PIXELS[0]]])
def test_other_and_damaged_files_have_no_head(described, data: bytes) -> None:
    d = described(data)
    assert d.kind is not Kind.DICOM
    assert (d.head, d.head_length, d.tail_length) == (None, None, None)
    assert d.sha256 == sha256(data).hexdigest()


@settings(max_examples=50)
@given(st.binary(max_size=400) | st.binary(max_size=200).map(lambda noise: surgery.PREAMBLE + noise)
       | st.integers(0, len(_IMAGE)).map(lambda n: _IMAGE[:n]))  # fmt: skip
def test_any_bytes_have_a_description(tmp_path_factory, works_in, data: bytes) -> None:
    works = works_in(tmp_path_factory.mktemp("any"))
    works.fill({b"file": data})
    (found,) = works.describe(works.task())
    assert isinstance(found, Description)
    assert found.sha256 == sha256(data).hexdigest()


def test_a_file_longer_than_one_piece_is_described_as_a_short_one(works) -> None:
    """The two ways of reading agree: digests, head, tail and frames, with pixels on both sides of the border."""
    side = 5808
    assert side * side * 2 > AT_ONCE
    data = next(Series("CT", 1, 64).images(1))
    head = surgery.value_at(data, surgery.PIXELS)[0]
    data = surgery.with_value(data, surgery.ROWS, side.to_bytes(2, "little"))
    data = surgery.with_value(data, (0x0028, 0x0011), side.to_bytes(2, "little"))
    pixels = bytes(range(256)) * (side * side * 2 // 256)
    data = (
        data[: head - 4]
        + len(pixels).to_bytes(4, "little")
        + pixels
        + surgery.element((0xFFFC, 0xFFFC), b"OB", b"tail")
    )
    works.fill({b"large": data})
    (d,) = works.describe(works.task())
    assert (d.kind, d.sha256) == (Kind.DICOM, sha256(data).hexdigest())
    assert d.pixels == sha256(pixels).hexdigest()
    assert (d.head_length, d.tail_length) == (head, 16)
    assert zstandard.decompress(d.head) == data[:head] + data[-16:]
    assert [(e.offset, e.length) for frame in d.frames for e in frame] == [(head, len(pixels))]


def test_names_that_were_never_listed_are_problems(works) -> None:
    """Whatever a manifest says, nothing outside the exam folder is read, and no foreign error comes out."""
    works.fill({b"a": _IMAGE})
    (works.root / "secret").write_bytes(_IMAGE)
    names = (
        b"../secret",
        b"/etc/passwd",
        b"",
        b".",
        b"..",
        b"a/",
        b"a/b",
        b"//a",
        b"nul\0",
        b"x" * 300,
        b"gone",
        b"./a",
    )
    for name in names:
        found = describe(works.san, works.folder, FileStamp(name, len(_IMAGE), 0, 0))
        assert isinstance(found, Problem)
        assert found.fate in (Fate.CHANGED, Fate.UNREADABLE)
        assert repr(name) not in found.reason
    for folder in (b"..", b"", b"MUELLER^HANS/..", b"gone", b"\0", b"secret", b"/etc"):
        assert isinstance(describe(works.san, folder, works.task().files[0]), Problem)


@pytest.mark.parametrize("size", [0, 1, len(_IMAGE) - 1, len(_IMAGE) + 1, 1 << 62, -1])
def test_a_size_that_a_listing_had_wrong_is_a_change(works, size: int) -> None:
    works.fill({b"a": _IMAGE})
    (stamp,) = works.task().files
    found = describe(works.san, works.folder, FileStamp(b"a", size, stamp.mtime_ns, stamp.ctime_ns))
    assert isinstance(found, Problem)
    assert found.fate is Fate.CHANGED
