"""Data sets in another coding: every attribute as pydicom reads it, whatever nests in what; or refused."""

from __future__ import annotations

import struct
from io import BytesIO

import numpy as np
import pydicom
import pytest
from pydicom import Dataset, Sequence

from sdfo.dicom import encapsulated
from sdfo.errors import DicomError
from sdfo.testing.natives import BIG, IMPLICIT, LITTLE, NativeImage, noise
from sdfo.testing.odd import surgery
from sdfo.testing.shipped import shipped

J2K = "1.2.840.10008.1.2.4.90"
STREAMS = (b"\xff\x4f\xff\x51 odd", b"\xff\x4f\xff\x51 even.")
PRIVATE = 0x00091001
SAMPLES = noise((2, 4, 6), 16, True)


def _item(depth: int) -> Dataset:
    """One of each VR that has a byte order, text that is not ASCII, and itself, so many times."""
    ds = Dataset()
    ds.ReferencedSOPInstanceUID, ds.SliceLocation = "1.2.3.4", "12.50"
    ds.FrameIncrementPointer = [0x00181063, 0x00540010]  # AT
    ds.RealWorldValueSlope, ds.SmallestImagePixelValue = 0.1, -7  # FD; US or SS
    ds.RecommendedDisplayFrameRateInFloat, ds.ReferencePixelX0 = 1.5, -70000  # FL, SL
    ds.VerticalPrismPower = 2.25
    ds.TableOfYBreakPoints = [1, 70000]  # UL
    ds.add_new(0x00660016, "OF", struct.pack("<3f", 1.5, -2.5, 1e9))
    ds.add_new(0x00660129, "OL", struct.pack("<2L", 1, 2**31))
    ds.add_new(0x00420011, "OB", b"\1\2\3\4")
    if depth:
        ds.SourceImageSequence = Sequence([_item(depth - 1), Dataset()])
    return ds


def _rich(syntax: str, undefined: bool) -> bytes:
    image = NativeImage(SAMPLES, 16, True, syntax=syntax, more={"SpecificCharacterSet": "ISO_IR 100"})
    ds = pydicom.dcmread(BytesIO(image.file()))
    ds.PatientName, ds.ReferencedImageSequence = "Grün^Änne", Sequence([_item(3), _item(0)])
    ds.RequestAttributesSequence = Sequence()
    ds.private_block(0x0009, "SYNTHETIC 1.0", create=True).add_new(1, "DS", "1.5")
    _order(ds, big=syntax == BIG, undefined=undefined)
    written = BytesIO()
    ds.save_as(written, enforce_file_format=True)
    return written.getvalue()


def _order(ds: Dataset, *, big: bool, undefined: bool) -> None:
    """pydicom writes OF and OL as they are given, in whatever order; and sequences as they say of themselves."""
    for element in ds:
        if element.VR == "SQ":
            element.is_undefined_length = undefined
            for item in element.value:
                item.is_undefined_length_sequence_item = undefined
                _order(item, big=big, undefined=undefined)
        elif element.VR in ("OF", "OL") and big:
            element.value = np.frombuffer(element.value, "<u4").astype(">u4").tobytes()


def _edges(data: bytes) -> tuple[bytes, bytes]:
    at, length = surgery.value_at(data, surgery.PIXELS)
    return data[:at], data[at + length :]


@pytest.mark.parametrize("syntax", [LITTLE, IMPLICIT, BIG])
@pytest.mark.parametrize("undefined", [False, True], ids=["defined", "undefined"])
def test_every_attribute_is_the_same(syntax, undefined):
    """In every coding, of defined and undefined lengths; the text is that of explicit VR little endian, to the byte."""
    plain = pydicom.dcmread(BytesIO(_rich(LITTLE, undefined)))
    made = encapsulated(*_edges(_rich(syntax, undefined)), J2K, "MONOCHROME2", STREAMS)
    found = pydicom.dcmread(BytesIO(made.data))
    assert found.file_meta.TransferSyntaxUID == J2K
    assert [made.data[extent.offset : extent.end] for (extent,) in made.frames] == list(STREAMS)
    for ds in (plain, found):
        del ds.PixelData
    if syntax == IMPLICIT:  # which does not say what a private value is, so it is UN (PS3.5 section 6.2.2)
        assert (found[PRIVATE].value, plain[PRIVATE].value) == (b"1.5 ", 1.5)
        del found[PRIVATE], plain[PRIVATE]
    assert found == plain


def test_it_is_what_pydicom_would_write():
    """Without private values the bytes before the pixels are pydicom's own of the data set in explicit VR little endian."""
    expected = _edges(encapsulated(*_edges(_rich(LITTLE, True)), J2K, "MONOCHROME2", STREAMS).data)[0]
    assert _edges(encapsulated(*_edges(_rich(BIG, True)), J2K, "MONOCHROME2", STREAMS).data)[0] == expected


def test_tables_of_offsets(monkeypatch):
    """A Basic one; an Extended one, and an empty Basic one, where 32 bits do not hold the offsets."""
    from sdfo.dicom import encapsulating

    edges = _edges(_rich(LITTLE, True))
    basic = pydicom.dcmread(BytesIO(encapsulated(*edges, J2K, "MONOCHROME2", STREAMS).data))
    assert basic.PixelData[8:16] == struct.pack("<2L", 0, 8 + 8)
    assert "ExtendedOffsetTable" not in basic
    monkeypatch.setattr(encapsulating._joined, "__defaults__", (7,))
    extended = pydicom.dcmread(BytesIO(encapsulated(*edges, J2K, "MONOCHROME2", STREAMS).data))
    assert extended.PixelData[:8] == b"\xfe\xff\x00\xe0" + bytes(4)
    assert extended.ExtendedOffsetTable == struct.pack("<2Q", 0, 16)
    assert extended.ExtendedOffsetTableLengths == struct.pack("<2Q", *map(len, STREAMS))


def test_retired_group_lengths_go():
    """Those of the groups in which something changed would be wrong."""
    data = NativeImage(SAMPLES, 16, True).file()
    at = surgery.value_at(data, (0x0028, 0x0002))[0] - 8
    data = data[:at] + surgery.element((0x0028, 0), b"UL", struct.pack("<L", 90)) + data[at:]
    data = surgery.before_pixels(data, surgery.element((0x7FE0, 0), b"UL", struct.pack("<L", 108)))
    made = encapsulated(*_edges(data), J2K, "MONOCHROME2", STREAMS).data
    assert made == encapsulated(*_edges(NativeImage(SAMPLES, 16, True).file()), J2K, "MONOCHROME2", STREAMS).data


def _unknown(syntax: str) -> bytes:
    data = NativeImage(SAMPLES, 16, True, syntax=syntax).file()
    at = data.rindex(b"\x7f\xe0\x00\x10OW")
    return data[:at] + struct.pack(">HH2sHL", 0x0051, 0x1001, b"UN", 0, 4) + b"\1\2\3\4" + data[at:]


REFUSED = {
    "no File Meta Information": NativeImage(SAMPLES, 16, True).file()[132:],
    "a value of unknown kind in big endian": _unknown(BIG),
    "a float image": shipped("rtdose.dcm").read_bytes().replace(b"\xe0\x7f\x10\x00", b"\xe0\x7f\x08\x00"),
    "implicit under an explicit name": NativeImage(SAMPLES, 16, True, syntax=IMPLICIT).file().replace(
        b"\x12\x001.2.840.10008.1.2\0", b"\x12\x001.2.840.10008.1.3\0"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_rewritten_for_sure_is_refused(name):
    """An error of DICOM, and nothing of the file in it."""
    data = REFUSED[name]
    at = max(data.rfind(tag) for tag in (b"\x7f\xe0\x00\x10OW", b"\xe0\x7f\x10\x00", b"\xe0\x7f\x08\x00"))
    head = data[: at + (8 if name.startswith(("implicit", "a float")) else 12)]
    with pytest.raises(DicomError):
        encapsulated(head, b"", J2K, "MONOCHROME2", STREAMS)
