"""Files that mean harm, and files that mean nothing: an answer always, soon, and in little memory."""

from __future__ import annotations

import random
import struct
import time
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from sdfo.dicom import MemorySource, Structure, examine, inflate, select, window
from sdfo.dicom.inflate import INFLATED_MAX
from sdfo.errors import OutOfRange
from sdfo.model import Kind
from sdfo.testing.odd import surgery
from sdfo.testing.shipped import shipped

MIB = 1024 * 1024
DEFLATED = "1.2.840.10008.1.2.1.99"
SEEDS = ("CT_small.dcm", "MR_small_RLE.dcm", "rtplan.dcm", "rtdose_expb_1frame.dcm", "reportsi.dcm", "image_dfl.dcm")
TAGS = [0x00020010, 0x00080005, 0x00080016, 0x00080018, 0x00081140, 0x00100010, 0x0020000D, 0x00280010, 0xFFFEE000]


def _examined(data: bytes) -> Structure:
    return examine(MemorySource(data))


def _bomb(mib: int) -> bytes:
    """A deflated file of a thousandth of the size that it inflates to."""
    packer = zlib.compressobj(9, wbits=-15)
    element = surgery.element((0x7FE0, 0x0010), b"OW", b"", length=mib * MIB)
    head = packer.compress(element)
    return (
        surgery.file_meta(DEFLATED) + head + b"".join(packer.compress(bytes(MIB)) for _ in range(mib)) + packer.flush()
    )


def test_a_deflate_bomb_is_refused_in_little_memory() -> None:
    """300 MiB in 300 KiB: refused beyond INFLATED_MAX, by a few windows of memory and not by the size it claims."""
    data = _bomb(INFLATED_MAX // MIB + 44)
    tracemalloc.start()
    structure = _examined(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert structure.kind is Kind.DAMAGED
    assert "inflates to more than is allowed" in str(structure.reason)
    assert f"at offset 188: expected {INFLATED_MAX}, found 2684" in str(structure.reason)
    assert peak < 4 * MIB


def test_a_large_deflated_image_is_read_in_little_memory() -> None:
    """An allowed one is inflated in pieces too, and never held."""
    data = _bomb(40)
    tracemalloc.start()
    structure = _examined(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert structure.reason == (
        "in the inflated data set: the pixel data cannot be measured: "
        "(0028,0010), (0028,0011), (0028,0100) absent or no number"
    )
    assert peak < 4 * MIB


def test_what_deflates_well_is_no_bomb(monkeypatch: pytest.MonkeyPatch, image: Callable[..., bytes]) -> None:
    """The bound is the larger of a size and a ratio: big but honest streams pass it, and so do small empty masks."""
    data = image(DEFLATED, pixels=random.Random(1).randbytes(MIB), rows=1024, columns=1024)
    monkeypatch.setattr(inflate, "INFLATED_MAX", MIB // 2)
    assert _examined(data).kind is Kind.DICOM
    monkeypatch.setattr(inflate, "INFLATE_RATIO_MAX", 0)
    assert _examined(data).kind is Kind.DAMAGED
    monkeypatch.undo()
    assert _examined(image(DEFLATED, pixels=bytes(MIB), rows=1024, columns=1024)).kind is Kind.DICOM


def test_select_and_attributes_refuse_the_bomb_too() -> None:
    """What follows the File Meta Information cannot be had; nothing is raised."""
    assert select(_bomb(INFLATED_MAX // MIB + 1), [0x00020010, 0x00080018]) == {0x00020010: DEFLATED}


def test_a_file_of_too_many_elements_is_refused(monkeypatch: pytest.MonkeyPatch, image: Callable[..., bytes]) -> None:
    """Elements, items and fragments are counted over the whole file."""
    monkeypatch.setattr(window, "ELEMENTS_MAX", 100)
    empty = surgery.element((0x0029, 0x1010), b"LO", b"")
    item = struct.pack("<HHL", 0xFFFE, 0xE000, 0)
    for elements in (empty * 100, surgery.element((0x0040, 0x0275), b"SQ", item * 101)):
        structure = _examined(surgery.before_pixels(image(), elements))
        assert structure.kind is Kind.DAMAGED
        assert "more elements than one file may have" in str(structure.reason)
    assert _examined(surgery.before_pixels(image(), empty * 70)).kind is Kind.DICOM
    fragments = struct.pack("<HHL", 0xFFFE, 0xE000, 0) * 22
    assert "more elements" in str(_examined(image("1.2.840.10008.1.2.5", fragments)).reason)


def test_a_million_elements_take_seconds_at_most(image: Callable[..., bytes]) -> None:
    """8 MB of empty elements, and 8 MB of empty items."""
    began = time.perf_counter()
    _examined(surgery.before_pixels(image(), surgery.element((0x0029, 0x1010), b"LO", b"") * 1_000_000))
    item = struct.pack("<HHL", 0xFFFE, 0xE000, 0)
    _examined(surgery.before_pixels(image(), surgery.element((0x0040, 0x0275), b"SQ", item * 300_000)))
    assert time.perf_counter() - began < 20


@pytest.mark.parametrize("uid", ["../../etc/x", "1.2\\3.4", "x" * 10_000, "\x00\x00", "ümläut", "1.2.3\x00\x00"])
def test_uids_are_as_found(image: Callable[..., bytes], uid: str) -> None:
    """Whatever they are, in Latin-1, less padding, 128 characters at most; nobody has checked them."""
    value = uid.encode("latin-1")
    data = image(StudyDate="20240229")
    for tag in (surgery.SOP, surgery.STUDY, surgery.SERIES):
        data = surgery.with_value(data, tag, value + b"\0" * (len(value) % 2))
    structure = _examined(data)
    expected = uid.rstrip("\0")[:128] or None
    assert structure.kind is Kind.DICOM
    assert (structure.study, structure.series) == (expected, expected)
    assert structure.sop == (expected or "1.2.3.4.1")  # an empty one falls back on the File Meta Information


def test_a_damaged_file_says_what_it_can(image: Callable[..., bytes]) -> None:
    """Each UID is known as soon as its bytes are there, and not a byte sooner."""
    data = image()
    ends = {name: surgery.value_at(data, tag) for name, tag in (("study", surgery.STUDY), ("series", surgery.SERIES))}
    for name, (at, length) in ends.items():
        assert getattr(_examined(data[: at + length - 1]), name) is None
        assert getattr(_examined(data[: at + length]), name) == getattr(_examined(data), name)
    meta_only = _examined(data[: surgery.meta_end(data)])
    assert (meta_only.sop, meta_only.sop_class) == ("1.2.3.4.1", "1.2.840.10008.5.1.4.1.1.7")
    cut = _examined(data[:-1])
    assert (cut.transfer_syntax, cut.study_date) == ("1.2.840.10008.1.2.1", "20240229")
    assert cut.pixels is None


def test_reasons_tell_nothing_of_the_patient(shipped_files: list[Path]) -> None:
    """No reason or note holds a value of the file's text, wherever the file is cut."""
    data = shipped("CT_small.dcm").read_bytes()
    for cut in range(0, len(data), 211):
        structure = _examined(data[:cut])
        said = f"{structure.reason} {structure.notes}"
        assert "CompressedSamples" not in said
        assert "1CT1" not in said


@given(st.binary(max_size=600))
def test_any_bytes_get_an_answer(data: bytes) -> None:
    """Bytes of no meaning are OTHER, or DAMAGED where they begin like DICOM; after a magic never OTHER."""
    assert _examined(data).kind in (Kind.OTHER, Kind.DAMAGED)
    assert select(data, TAGS) is not None
    assert _examined(bytes(128) + b"DICM" + data).kind is not Kind.OTHER
    select(bytes(128) + b"DICM" + data, TAGS)


@pytest.mark.parametrize("name", SEEDS)
@hypothesis_settings(max_examples=60)
@given(data=st.data())
def test_mutated_files_get_an_answer(name: str, data: st.DataObject) -> None:
    """Bytes changed, inserted and cut out anywhere: an answer without an exception, and from select as well."""
    whole = shipped(name).read_bytes()
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, min(len(whole), 3000)))
        cut = data.draw(st.integers(0, 16))
        whole = whole[:at] + data.draw(st.binary(max_size=12)) + whole[at + cut :]
    structure = _examined(whole)
    assert (structure.reason is None) == (structure.kind is not Kind.DAMAGED)
    assert structure.pixels is None or structure.pixels.end <= len(whole)
    select(whole, TAGS)


def test_flipped_bytes_never_raise() -> None:
    """Each byte of a small implicit file inverted in turn."""
    whole = shipped("nested_priv_SQ.dcm").read_bytes()
    for at in range(len(whole)):
        changed = bytearray(whole)
        changed[at] ^= 0xFF
        _examined(bytes(changed))
        select(bytes(changed), TAGS)


def test_only_the_source_raises() -> None:
    """A file that shrinks while it is read raises what its source raises: that is no property of its bytes."""

    class Shrinking(MemorySource):
        def read(self, offset: int, length: int) -> bytes:
            raise OutOfRange("the file was cut while open")

    with pytest.raises(OutOfRange):
        examine(Shrinking(shipped("CT_small.dcm").read_bytes()))
