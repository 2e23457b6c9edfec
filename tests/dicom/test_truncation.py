"""A file that was cut is never called whole, wherever the cut is, but for cuts that leave nothing missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom.encaps import encapsulate, encapsulate_extended

from sdfo.dicom import MemorySource, examine
from sdfo.model import Kind
from sdfo.testing.shipped import shipped

CUTS = {
    "SC_rgb_small_odd.dcm": [],  # explicit little endian, 27 bytes of pixels and a padding byte
    "SC_rgb_small_odd_big_endian.dcm": [],
    "rtdose_1frame.dcm": [],  # implicit
    "rtdose_expb_1frame.dcm": [],  # big endian
    "SC_rgb_jpeg_dcmtk.dcm": [],
    "JPEG2000.dcm": [],
    "JPEGLSNearLossless_08.dcm": [],
    "SC_rgb_rle_2frame.dcm": [],
    "MR_small_RLE.dcm": [7652],  # before (FFFC,FFFC) Data Set Trailing Padding: all pixels are there
    "image_dfl.dcm": [4629],  # before gzip's trailer: the deflate stream is complete
    "reportsi.dcm": [],  # a structured report: its Content Sequence is last
    "test-SR.dcm": [],
    "rtstruct.dcm": [],  # implicit, no preamble, no File Meta Information
    # Treatment plans: before elements that their IODs do not demand, everything that they do demand being there
    "rtplan.dcm": [890, 1222, 1410, 2394, 2440, 2564, 2654],
}


def _whole_cuts(data: bytes) -> list[int]:
    return [cut for cut in range(len(data)) if examine(MemorySource(data[:cut])).kind is Kind.DICOM]


@pytest.mark.parametrize("name", CUTS)
def test_cut_files_are_not_whole(name: str) -> None:
    """Of all cuts of a file of each transfer syntax, the listed ones alone leave a whole file."""
    data = shipped(name).read_bytes()
    assert examine(MemorySource(data)).kind is Kind.DICOM
    assert _whole_cuts(data) == CUTS[name]


def test_a_cut_file_with_preamble_is_damaged_from_the_magic_on(shipped_files: list[Path]) -> None:
    """Until the magic is complete nothing says that a file was to be DICOM; from then on it is DAMAGED."""
    data = shipped("JPEG2000.dcm").read_bytes()
    kinds = [examine(MemorySource(data[:cut])).kind for cut in range(len(data))]
    assert kinds == [Kind.OTHER] * 132 + [Kind.DAMAGED] * (len(data) - 132)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"])
def test_cuts_in_sequences_are_not_whole(image: Callable[..., bytes], syntax: str) -> None:
    """Defined and undefined lengths, nested, with an icon's pixel data inside: no cut is whole."""
    from pydicom import Dataset, Sequence

    icon, outer = Dataset(), Dataset()
    icon.Rows = icon.Columns = 2
    icon.BitsAllocated, icon.SamplesPerPixel, icon.PhotometricInterpretation = 8, 1, "MONOCHROME2"
    icon.PixelRepresentation = 0
    icon.add_new(0x7FE00010, "OB", b"icon")
    outer.IconImageSequence = Sequence([icon])
    outer.is_undefined_length_sequence_item = True
    outer["IconImageSequence"].is_undefined_length = True
    for undefined in (False, True):
        items = Sequence([outer, Dataset()])
        items.is_undefined_length = undefined
        data = image(syntax, ReferencedImageSequence=items, IconImageSequence=Sequence([icon]))
        assert examine(MemorySource(data)).kind is Kind.DICOM
        assert _whole_cuts(data) == []


@pytest.mark.parametrize("tables", ["none", "basic", "extended"])
def test_cuts_in_fragments_are_not_whole(image: Callable[..., bytes], tables: str) -> None:
    """JPEG 2000 in several fragments a frame, with each kind of offset table."""
    frames = [b"first frame " * 3, b"second", b"third frame!" * 2]
    more = {}
    if tables == "extended":
        value, more["ExtendedOffsetTable"], more["ExtendedOffsetTableLengths"] = encapsulate_extended(frames)
    else:
        value = encapsulate(frames, fragments_per_frame=2, has_bot=tables == "basic")
    data = image("1.2.840.10008.1.2.4.90", value, frames=3, **more)
    assert examine(MemorySource(data)).kind is Kind.DICOM
    assert _whole_cuts(data) == []


def test_cuts_of_a_deflated_file(image: Callable[..., bytes]) -> None:
    """A deflate stream says where it ends; only the byte that makes its length even (PS3.5 section A.5) may be cut."""
    data = image("1.2.840.10008.1.2.1.99")
    assert _whole_cuts(data) == []
    assert _whole_cuts(data + b"\0") == [len(data)]
    assert examine(MemorySource(data + b"\0")).notes == ()
    assert examine(MemorySource(data + b"\0\0")).notes == ("2 surplus bytes after the deflated data set",)
    assert examine(MemorySource(data + b"\0\1")).kind is Kind.DAMAGED


def test_cuts_of_a_document(without_pixels: Callable[..., bytes]) -> None:
    """Of an encapsulated PDF only the media type after the document can go unnoticed."""
    data = without_pixels(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.104.1",
        EncapsulatedDocument=b"%PDF-1.4\n",
        MIMETypeOfEncapsulatedDocument="x",
    )
    assert examine(MemorySource(data)).kind is Kind.DICOM
    assert _whole_cuts(data) == [data.index(b"\x42\x00\x12\x00")]


@pytest.mark.parametrize("zeros", [1, 2, 7, 8, 9, 600, 200_000])
def test_zero_bytes_after_an_image_are_padding(image: Callable[..., bytes], zeros: int) -> None:
    """They are whole and noted, in every coding; any other byte among them is damage."""
    for syntax in ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"):
        data = image(syntax) + bytes(zeros)
        structure = examine(MemorySource(data))
        assert structure.kind is Kind.DICOM
        assert structure.notes == (f"{zeros} zero bytes after the last element",)
        assert examine(MemorySource(data[:-1] + b"\1")).kind is Kind.DAMAGED


def test_zero_bytes_after_other_objects_are_damage() -> None:
    """A report may go on where the zeros begin: nothing proves that they are not what a broken copy left unwritten."""
    structure = examine(MemorySource(shipped("reportsi.dcm").read_bytes() + bytes(10)))
    assert structure.kind is Kind.DAMAGED
    assert structure.reason == "10 zero bytes after the last element, and no pixel data at offset 2968"
