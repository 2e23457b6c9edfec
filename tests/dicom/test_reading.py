"""How much of a file is read, and when a file is DICOM at all."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom.encaps import encapsulate

from sdfo.dicom import MemorySource, examine
from sdfo.dicom.window import WINDOW
from sdfo.errors import OutOfRange
from sdfo.model import Kind
from sdfo.stores import open_store
from sdfo.testing.odd import surgery
from sdfo.testing.shipped import shipped


class Counting(MemorySource):
    """Counts what is read of it."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.bytes_read = self.reads = 0

    def read(self, offset: int, length: int) -> bytes:
        self.bytes_read, self.reads = self.bytes_read + length, self.reads + 1
        return super().read(offset, length)


def test_pixels_are_not_read(real_files: list[Path]) -> None:
    """A CT image takes one window of its 520 KB, a Siemens MR image with 100 KB of private head two."""
    for path in real_files[:: len(real_files) // 40]:
        source = Counting(path.read_bytes())
        if examine(source).pixels is not None:
            assert source.bytes_read <= 2 * WINDOW
            assert source.reads <= 2


def test_fragments_are_not_read(image: Callable[..., bytes]) -> None:
    """Of each large fragment a page is read, for the next one's header."""
    frames = [random.Random(n).randbytes(50_000) for n in range(40)]
    source = Counting(image("1.2.840.10008.1.2.4.90", encapsulate(frames), frames=40))
    structure = examine(source)
    assert structure.frames is not None
    assert len(structure.frames) == 40
    assert source.bytes_read < WINDOW + 42 * 4096


def test_a_head_longer_than_windows(image: Callable[..., bytes]) -> None:
    """Elements and values across every window's edge are found; values that are skipped are not read."""
    small = surgery.element((0x0029, 0x1010), b"LO", b"some text")
    many = surgery.before_pixels(image(), small * (3 * WINDOW // len(small)))
    structure = examine(MemorySource(many))
    assert (structure.kind, structure.study) == (Kind.DICOM, "1.2.3.4.2")
    large = Counting(surgery.before_pixels(image(), surgery.element((0x0029, 0x1010), b"OB", bytes(9_000_000))))
    assert examine(large).kind is Kind.DICOM
    assert large.bytes_read < 2 * WINDOW
    for shift in range(40):  # the identifying elements lie across the first window's end
        filler = surgery.element((0x0008, 0x0001), b"UT", bytes(WINDOW - 560 + 4 * shift))
        data = image()
        at = surgery.meta_end(data)
        moved = examine(MemorySource(data[:at] + filler + data[at:]))
        assert (moved.kind, moved.sop, moved.series) == (Kind.DICOM, "1.2.3.4.1", "1.2.3.4.3")


def test_an_open_file_of_a_store_will_do(tmp_path: Path) -> None:
    """`ByteSource` is what a store's `open` returns."""
    (tmp_path / "image.dcm").write_bytes(shipped("CT_small.dcm").read_bytes())
    with open_store(tmp_path.as_uri()).open("image.dcm") as source:
        assert examine(source) == examine(MemorySource(shipped("CT_small.dcm").read_bytes()))


def test_memory_source_keeps_its_promise() -> None:
    """Exactly the bytes asked for, of bytes and of views, or OutOfRange."""
    for data in (b"abcdef", memoryview(b"abcdef")):
        source = MemorySource(data)
        assert (source.size, source.read(2, 3), source.read(6, 0)) == (6, b"cde", b"")
        for offset, length in ((-1, 1), (0, -1), (4, 3), (7, 0)):
            with pytest.raises(OutOfRange):
                source.read(offset, length)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"])
def test_without_preamble_or_file_meta(image: Callable[..., bytes], syntax: str) -> None:
    """The first element shows the coding; a File Meta Information without a preamble is read as well."""
    data = image(syntax)
    bare, headless = examine(MemorySource(data[surgery.meta_end(data) :])), examine(MemorySource(data[132:]))
    assert (bare.kind, bare.transfer_syntax) == (Kind.DICOM, None)
    assert bare.sop == headless.sop == "1.2.3.4.1"
    assert (headless.kind, headless.transfer_syntax, headless.notes) == (Kind.DICOM, syntax, ())


def test_a_wrong_group_length_is_noted(image: Callable[..., bytes]) -> None:
    """The File Meta Information ends where its group ends, whatever its length says; and may lack the length."""
    data = image()
    end = surgery.meta_end(data)
    wrong = data[:140] + (7).to_bytes(4, "little") + data[144:]
    structure = examine(MemorySource(wrong))
    assert structure.kind is Kind.DICOM
    assert structure.notes == (f"File Meta Information ends at {end}, its group length says 151",)
    assert examine(MemorySource(data[:132] + data[144:])).notes == ()


def test_a_file_meta_alone_is_damaged(image: Callable[..., bytes]) -> None:
    data = image()
    end = surgery.meta_end(data)
    reason = examine(MemorySource(data[:end])).reason
    assert reason == f"no data set after the File Meta Information at offset {end}"


def test_implicit_file_meta(image: Callable[..., bytes], element: Callable[..., bytes]) -> None:
    """Some writers encode group 0002 like the implicit data set after it."""
    data = image("1.2.840.10008.1.2")
    meta = element(0x00020002, None, b"1.2.840.10008.5.1.4.1.1.7\0") + element(0x00020010, None, b"1.2.840.10008.1.2\0")
    structure = examine(MemorySource(data[:132] + meta + data[surgery.meta_end(data) :]))
    assert (structure.kind, structure.transfer_syntax) == (Kind.DICOM, "1.2.840.10008.1.2")


@pytest.mark.parametrize(("said", "meant"), [("", ".1"), (".1", "")])
def test_a_syntax_that_lies_about_the_vr(image: Callable[..., bytes], said: str, meant: str) -> None:
    """Explicit under an implicit syntax, and the reverse: read as what it is, and noted."""
    true, false = image("1.2.840.10008.1.2" + meant), image("1.2.840.10008.1.2" + said)
    data = false[: surgery.meta_end(false)] + true[surgery.meta_end(true) :]
    structure = examine(MemorySource(data))
    form = "explicit" if meant else "implicit"
    assert structure.kind is Kind.DICOM
    assert structure.notes == (f"{form} VR under a transfer syntax that says otherwise",)


OTHER = {
    "nothing": b"",
    "text": b"Please repeat series 3.\n" * 100,
    "zeros": bytes(4096),
    "an OLE file": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504),
    "a zip": b"PK\x03\x04" + bytes(100),
    "JPEG": b"\xff\xd8\xff\xe0\x00\x10JFIF\x00",
    "a preamble": bytes(128),
    "a preamble and most of the magic": bytes(128) + b"DIC",
    "group 0008 of no known tag": b"\x08\0\x77\x77\x04\0\0\0abcd",
    "group 0008 too long": b"\x08\0\x05\0\0\0\1\0" + bytes(70000),
    "group 0008, no VR, big endian": b"\0\x08\0\x05\0\0\0\x04abcd",
    "group 0008, a VR that is none": b"\x08\0\x05\0ZZ\x04\0abcd",
}


@pytest.mark.parametrize("case", OTHER)
def test_what_is_no_dicom(case: str) -> None:
    structure = examine(MemorySource(OTHER[case]))
    assert (structure.kind, structure.reason, structure.notes) == (Kind.OTHER, None, ())


def test_a_dicomdir_is_no_image_file() -> None:
    """Cut or whole, once its class is read."""
    data = shipped("dicomdirtests", "DICOMDIR").read_bytes()
    for cut in (len(data), len(data) // 2, 400):
        assert examine(MemorySource(data[:cut])).kind is Kind.OTHER


WITHOUT_STUDY = dict.fromkeys(("StudyInstanceUID", "SeriesInstanceUID"))


@pytest.mark.parametrize(("attributes", "reason"), [
    ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"}, "no pixel data, which SOP Class 1.2.840.10008.5.1.4.1.1.2"),
    ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.66.4"}, "no pixel data, which SOP Class"),
    ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.66", "Rows": 3}, "no pixel data, which (0028,0010) is about"),
    ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.66", "BitsAllocated": 8}, "no pixel data, which (0028,0100) is about"),
    ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.66"}, None),
    ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.66", "StudyInstanceUID": None}, "neither pixel data nor (0020,000D)"),
    ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.66", "SeriesInstanceUID": ""}, "neither pixel data nor (0020,000E)"),
    ({"SOPClassUID": "1.2.840.10008.5.1.4.39.1", **WITHOUT_STUDY}, None),
    ({"SOPClassUID": "1.2.840.10008.5.1.4.39.1", "SOPInstanceUID": ""}, "neither pixel data nor (0008,0018)"),
    ({"SOPClassUID": "1.3.46.670589.11.0.0.12.1"}, None),
    ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.4.2", "Rows": 1}, "no (5600,0020), which SOP Class"),
    ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.4.2", "Rows": 1, "SpectroscopyData": bytes(8)}, None),
    ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.22"}, "no (0040,A730), which SOP Class"),
    ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.22", "ContentSequence": []}, None),
])  # fmt: skip
def test_what_a_file_without_pixels_must_have(
    without_pixels: Callable[..., bytes], attributes: dict[str, object], reason: str | None
) -> None:
    """An image class or image attributes ask for pixels; other classes for UIDs, and for what the class is for."""
    structure = examine(MemorySource(without_pixels(**attributes)))
    assert structure.kind is (Kind.DICOM if reason is None else Kind.DAMAGED)
    assert (reason or "None") in str(structure.reason)
