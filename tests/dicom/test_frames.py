"""Pixel data measured and cut into frames."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from pydicom.encaps import encapsulate, encapsulate_extended

from sdfo.dicom import MemorySource, Structure, examine
from sdfo.model import Kind
from sdfo.testing.odd import surgery

J2K, RLE, MPEG = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.102"
FRAMES = [b"frame one is long enough for fragments", b"frame two, the same", b"frame three it is!!"]

Image = Callable[..., bytes]


def _examined(data: bytes) -> Structure:
    return examine(MemorySource(data))


def _parts(data: bytes, structure: Structure) -> list[list[bytes]] | None:
    if structure.frames is None:
        return None
    return [[data[piece.offset : piece.end] for piece in frame] for frame in structure.frames]


def _joined(data: bytes) -> list[bytes] | None:
    parts = _parts(data, _examined(data))
    return None if parts is None else [b"".join(frame).rstrip(b"\0") for frame in parts]


@pytest.mark.parametrize("fragments", [1, 2, 3])
def test_the_basic_offset_table_groups_fragments(image: Image, fragments: int) -> None:
    """PS3.5 section A.4: each entry is the first item of a frame."""
    data = image(J2K, encapsulate(FRAMES, fragments_per_frame=fragments), frames=3)
    assert _joined(data) == [frame.rstrip(b"\0") for frame in FRAMES]
    assert [len(frame) for frame in _parts(data, _examined(data)) or []] == [fragments] * 3


def test_the_extended_offset_table_gives_true_lengths(image: Image) -> None:
    """PS3.3 section C.7.6.3.1.8: 64-bit offsets and lengths; the byte that makes a fragment even is no part of a frame."""
    value, offsets, _ = encapsulate_extended(FRAMES)
    lengths = struct.pack("<3Q", *map(len, FRAMES))
    data = image(J2K, value, frames=3, ExtendedOffsetTable=offsets, ExtendedOffsetTableLengths=lengths)
    assert _parts(data, _examined(data)) == [[frame] for frame in FRAMES]


def test_one_fragment_for_each_frame_needs_no_table(image: Image) -> None:
    data = image(RLE, encapsulate(FRAMES, has_bot=False), frames=3)
    assert _joined(data) == FRAMES


def test_all_fragments_are_the_only_frame(image: Image) -> None:
    data = image(J2K, encapsulate(FRAMES[:1], fragments_per_frame=3, has_bot=False))
    parts = _parts(data, _examined(data))
    assert parts is not None
    assert [len(frame) for frame in parts] == [3]
    assert _joined(data) == FRAMES[:1]


def test_frames_that_cannot_be_told(image: Image) -> None:
    """Several fragments a frame and no table: whole, but nothing says which belong together."""
    structure = _examined(image(J2K, encapsulate(FRAMES, fragments_per_frame=2, has_bot=False), frames=3))
    assert (structure.kind, structure.frames) == (Kind.DICOM, None)


@pytest.mark.parametrize("wrong", [b"\1\0\0\0", struct.pack("<3L", 0, 9, 18), struct.pack("<3L", 0, 0, 0), b"\0" * 8])
def test_a_table_that_does_not_fit_is_not_believed(image: Image, wrong: bytes) -> None:
    """It is noted; frames of one fragment each are told without it."""
    items = b"".join(struct.pack("<HHL", 0xFFFE, 0xE000, 4) + b"abcd" for _ in range(3))
    value = struct.pack("<HHL", 0xFFFE, 0xE000, len(wrong)) + wrong + items
    structure = _examined(image(J2K, value, frames=3))
    assert structure.kind is Kind.DICOM
    assert structure.notes == ("the offset table does not fit the fragments",)
    assert structure.frames is not None
    assert [[piece.length for piece in frame] for frame in structure.frames] == [[4]] * 3


def test_a_table_leaves_no_fragment_out(image: Image) -> None:
    """The first frame begins with the first fragment: an offset table that begins later is not believed."""
    items = b"".join(struct.pack("<HHL", 0xFFFE, 0xE000, 4) + b"abcd" for _ in range(4))
    value = struct.pack("<HHL3L", 0xFFFE, 0xE000, 12, 12, 24, 36) + items
    structure = _examined(image(J2K, value, frames=3))
    assert (structure.kind, structure.frames) == (Kind.DICOM, None)
    assert structure.notes == ("the offset table does not fit the fragments",)


@pytest.mark.parametrize("table", ["ExtendedOffsetTable", "ExtendedOffsetTableLengths"])
def test_an_extended_table_that_does_not_fit_is_not_believed(image: Image, table: str) -> None:
    value, offsets, lengths = encapsulate_extended(FRAMES)
    tables = {"ExtendedOffsetTable": offsets, "ExtendedOffsetTableLengths": lengths, table: b"\xff" * 24}
    structure = _examined(image(J2K, value, frames=3, **tables))
    assert structure.notes == ("the offset table does not fit the fragments",)
    assert structure.frames is not None


def test_fewer_fragments_than_frames_is_damage(image: Image) -> None:
    """A frame has at least one fragment, except in video, where all may be one stream."""
    value = encapsulate(FRAMES[:2], has_bot=False)
    structure = _examined(image(J2K, value, frames=3))
    assert "fewer fragments than frames at offset" in str(structure.reason)
    assert str(structure.reason).endswith("expected 3, found 2")
    video = _examined(image(MPEG, value, frames=3))
    assert (video.kind, video.frames) == (Kind.DICOM, None)


def test_encapsulated_without_anything_is_damage(image: Image) -> None:
    """Not even an offset table; an offset table and no fragment; a value that is not in fragments at all."""
    empty = struct.pack("<HHL", 0xFFFE, 0xE000, 0)
    data = image(J2K, empty)
    assert str(_examined(data).reason).endswith("expected 1, found 0")
    assert "without an offset table" in str(_examined(data.replace(empty, b"")).reason)
    native = image().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.5\0")
    assert "should come in fragments and does not" in str(_examined(native).reason)


def test_fragments_under_a_native_syntax_are_noted(image: Image) -> None:
    data = image(RLE, encapsulate(FRAMES[:1])).replace(b"1.2.840.10008.1.2.5\0", b"1.2.840.10008.1.2.1\0")
    structure = _examined(data)
    assert structure.kind is Kind.DICOM
    assert structure.notes == ("encapsulated pixel data under a transfer syntax that does not say so",)


def test_native_frames_are_equal_slices(image: Image) -> None:
    data = image(pixels=b"a" * 24 + b"b" * 24 + b"c" * 24, frames=3)
    assert _parts(data, _examined(data)) == [[b"a" * 24], [b"b" * 24], [b"c" * 24]]


@pytest.mark.parametrize(("rows", "columns", "frames", "bits", "length"), [
    (4, 6, 1, 8, 24), (4, 6, 2, 16, 96), (3, 3, 1, 8, 9), (3, 3, 1, 1, 2), (3, 3, 8, 1, 9), (2, 2, 3, 12, 18), (2, 2, 1, 32, 16)
])  # fmt: skip
def test_a_value_shorter_than_its_matrix_is_damage(
    image: Image, rows: int, columns: int, frames: int, bits: int, length: int
) -> None:
    """ceil(rows × columns × samples × frames × bits allocated / 8), less one byte, is not whole; more is, and is noted."""

    def made(size: int) -> Structure:
        return _examined(image(pixels=bytes(size), rows=rows, columns=columns, frames=frames, BitsAllocated=bits))

    even = length + length % 2
    assert made(even).kind is Kind.DICOM
    assert made(even).notes == ()
    assert made(even + 2).notes == (f"{even + 2 - length} surplus bytes after the pixel matrix",)
    short = made(even - 2)
    assert short.kind is Kind.DAMAGED
    assert str(short.reason).endswith(f"expected {length}, found {even - 2}")


def test_an_odd_value_is_noted(image: Image) -> None:
    """A byte more than an odd matrix is the padding that DICOM asks for; more than an even one it is surplus."""
    data = image()
    at, length = surgery.value_at(data, (0x7FE0, 0x0010))
    longer = data[: at - 4] + struct.pack("<L", length + 1) + data[at:] + b"x"
    assert _examined(longer).notes == ("1 surplus bytes after the pixel matrix",)


def test_frames_that_do_not_end_on_a_byte_are_not_listed(image: Image) -> None:
    """Segmentations of one bit a pixel may begin a frame within a byte (PS3.5 section 8.1.1)."""
    structure = _examined(image(pixels=bytes(4), rows=3, columns=3, frames=3, BitsAllocated=1))
    assert (structure.kind, structure.frames) == (Kind.DICOM, None)
    aligned = _examined(image(pixels=bytes(6), rows=4, columns=4, frames=3, BitsAllocated=1))
    assert aligned.frames is not None
    assert [frame[0].length for frame in aligned.frames] == [2, 2, 2]


@pytest.mark.parametrize(
    ("length", "kind", "frames"), [(94, Kind.DAMAGED, None), (96, Kind.DICOM, 2), (144, Kind.DICOM, None)]
)
def test_ybr_full_422_has_two_samples_a_pixel(image: Image, length: int, kind: Kind, frames: int | None) -> None:
    """Written with three by mistake it is whole, and noted, and its frames cannot be told."""
    data = image(
        pixels=bytes(length),
        frames=2,
        SamplesPerPixel=3,
        PhotometricInterpretation="YBR_FULL_422",
        PlanarConfiguration=0,
    )
    structure = _examined(data)
    assert structure.kind is kind
    assert (None if structure.frames is None else len(structure.frames)) == frames
    assert structure.notes == (("48 surplus bytes after the YBR_FULL_422 pixel matrix",) if length == 144 else ())


@pytest.mark.parametrize("lost", ["Rows", "Columns", "BitsAllocated"])
def test_pixels_without_measures_are_not_proven(image: Image, lost: str) -> None:
    assert "the pixel data cannot be measured" in str(_examined(image(**{lost: None})).reason)


@pytest.mark.parametrize(
    ("text", "kind"), [("", Kind.DICOM), ("0", Kind.DICOM), (" 1 ", Kind.DICOM), ("2", Kind.DAMAGED)]
)
def test_number_of_frames(image: Image, text: str, kind: Kind) -> None:
    """Absent, empty and 0 count as 1."""
    data = image(NumberOfFrames="99")
    at, length = surgery.value_at(data, (0x0028, 0x0008))
    data = data[: at - 2] + struct.pack("<H", len(text)) + text.encode() + data[at + length :]
    assert _examined(data).kind is kind


@pytest.mark.parametrize("text", ["-1", "1A", "1.5", "9" * 400, "²"])
def test_number_of_frames_that_is_none(image: Image, text: str) -> None:
    data = surgery.with_value(image(NumberOfFrames="99"), (0x0028, 0x0008), text.encode("latin-1").ljust(400))
    assert "(0028,0008) absent or no number" in str(_examined(data).reason)


def test_a_million_frames_of_nothing_cost_nothing(image: Image) -> None:
    """Frames of no size, and more of them than are listed."""
    assert _examined(image(pixels=b"", rows=0, frames=2_000_000_000)).frames is None
    assert _examined(image(pixels=bytes(300_000), rows=1, columns=1, frames=300_000)).frames is None


@pytest.mark.parametrize(("tag", "vr", "bits"), [(0x7FE00008, "OF", 32), (0x7FE00009, "OD", 64)])
def test_float_pixels_are_pixels(write: Callable[..., bytes], image: Image, tag: int, vr: str, bits: int) -> None:
    """(7FE0,0008) and (7FE0,0009) stand for (7FE0,0010) in parametric maps."""
    from io import BytesIO

    from pydicom import dcmread

    ds = dcmread(BytesIO(image(BitsAllocated=bits, BitsStored=None, HighBit=None, PixelRepresentation=None)))
    del ds.PixelData
    ds.add_new(tag, vr, bytes(24 * bits // 8))
    data = write(ds)
    structure = _examined(data)
    assert structure.kind is Kind.DICOM
    assert structure.pixels is not None
    assert structure.pixels.length == 24 * bits // 8
    assert _examined(data[:-4]).kind is Kind.DAMAGED


def test_a_second_pixel_data_is_damage(image: Image) -> None:
    data = image()
    again = data[surgery.value_at(data, (0x7FE0, 0x0010))[0] - 12 :]
    assert "a second pixel data element, (7FE0,0010) at offset" in str(_examined(data + again).reason)


def test_pixels_kept_elsewhere(image: Image, without_pixels: Image) -> None:
    """JPIP Referenced (PS3.5 section A.6): an image whose pixels another server holds is whole without them."""
    referenced = "1.2.840.10008.1.2.4.94"
    data = without_pixels(referenced, Rows=4, Columns=6, PixelDataProviderURL="http://example.org/1")
    assert _examined(data).kind is Kind.DICOM
    assert "no pixel data" in str(_examined(without_pixels(referenced, Rows=4)).reason)
