"""What `examine` says of files that others wrote, against what pydicom reads in them."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.dataelem import RawDataElement
from pydicom.encaps import generate_frames

from sdfo.dicom import MemorySource, Structure, examine
from sdfo.model import Extent, Kind

OTHER = {
    *("README.md", "README.txt", "README", "FileInfo.txt", "crayons.icc", "rtplan.dump", "rtstruct.dump", "zipMR.gz"),
    "no_meta.dcm",  # begins with a stray byte; pydicom cannot read it either
    *("DICOMDIR", "DICOMDIR-bigEnd", "DICOMDIR-empty.dcm", "DICOMDIR-implicit", "DICOMDIR-nooffset"),
    *("DICOMDIR-nopatient", "DICOMDIR-reordered"),
}
NO_PIXELS = "no pixel data, which SOP Class"
DAMAGED = {
    "chrJapMulti.dcm": NO_PIXELS,
    "chrJapMultiExplicitIR6.dcm": NO_PIXELS,
    "chrKoreanMulti.dcm": NO_PIXELS,
    "chrSQEncoding.dcm": NO_PIXELS,
    "chrSQEncoding1.dcm": NO_PIXELS,
    "UN_sequence.dcm": NO_PIXELS,
    "no_meta_group_length.dcm": NO_PIXELS,
    "priv_SQ.dcm": NO_PIXELS,
    "MR_truncated.dcm": "the value of (7FE0,0010) is cut short at offset 1500: expected 8192, found 8130",
    "rtplan_truncated.dcm": "a sequence is cut short at offset 1418: expected 976, found 711",
    "badVR.dcm": "(0028,0008) absent or no number",
    "empty_charset_LEI.dcm": "neither pixel data nor (0008,0016)",
    "meta_missing_tsyntax.dcm": "(0028,0010), (0028,0011), (0028,0100) absent or no number",
    "nested_priv_SQ.dcm": "(0028,0010), (0028,0011), (0028,0100) absent or no number",
}
NOTES = {
    "MR_small_padded.dcm": "128 surplus bytes after the pixel matrix",
    "SC_rgb_jpeg.dcm": "implicit VR under a transfer syntax that says otherwise",
    "image_dfl.dcm": "a gzip trailer after the deflated data set",
    "ExplVR_BigEndNoMeta.dcm": "no transfer syntax: read as explicit VR",
    "ExplVR_LitEndNoMeta.dcm": "no transfer syntax: read as explicit VR",
    "rtstruct.dcm": "no transfer syntax: read as implicit VR",
    "meta_missing_tsyntax.dcm": "no transfer syntax: read as implicit VR",
}


def _examined(path: Path) -> tuple[bytes, Structure]:
    data = path.read_bytes()
    return data, examine(MemorySource(data))


def test_every_shipped_file_is_of_its_kind(shipped_file: Path) -> None:
    """Whole files are called whole; of the others the reason is the right one. TINY_ALPHA's images have no pixels."""
    structure = _examined(shipped_file)[1]
    if "TINY_ALPHA" in shipped_file.parts and shipped_file.name.startswith("IM"):
        assert structure.kind is Kind.DAMAGED
        assert NO_PIXELS in str(structure.reason)
    elif shipped_file.name in DAMAGED:
        assert structure.kind is Kind.DAMAGED
        assert DAMAGED[shipped_file.name] in str(structure.reason)
    else:
        kind = Kind.OTHER if shipped_file.name in OTHER else Kind.DICOM
        assert (structure.kind, structure.reason) == (kind, None)
    assert structure.notes == ((NOTES[shipped_file.name],) if shipped_file.name in NOTES else ())


def test_shipped_files_agree_with_pydicom(shipped_file: Path) -> None:
    """UIDs, date, transfer syntax, pixel extent, value and frames of pydicom's files are as pydicom reads them."""
    data, structure = _examined(shipped_file)
    if structure.kind is not Kind.OTHER and shipped_file.name != "MR_truncated.dcm":
        _agree(data, structure)


def test_real_exams_agree_with_pydicom(real_files: list[Path]) -> None:
    """Every file of the real exams is whole and as pydicom reads it, but for DIRFILEs and notes, which are OTHER."""
    kinds = []
    for path in real_files:
        data, structure = _examined(path)
        assert (structure.kind is Kind.OTHER) == (path.name in ("DIRFILE", "LICENSE", "README.md"))
        assert structure.reason is None
        if structure.kind is Kind.DICOM:
            _agree(data, structure)
            assert structure.pixels is not None
        kinds.append(structure.kind)
    assert kinds.count(Kind.DICOM) == 338


def _agree(data: bytes, structure: Structure) -> None:
    ds = dcmread(BytesIO(data), force=True)
    meta = ds.file_meta
    raw = ds.get_item("PixelData") if "PixelData" in ds else None
    assert structure.transfer_syntax == meta.get("TransferSyntaxUID")
    assert structure.sop_class == (ds.get("SOPClassUID") or meta.get("MediaStorageSOPClassUID") or None)
    assert structure.sop == (ds.get("SOPInstanceUID") or meta.get("MediaStorageSOPInstanceUID") or None)
    assert structure.study == (ds.get("StudyInstanceUID") or None)
    assert structure.series == (ds.get("SeriesInstanceUID") or None)
    assert structure.study_date == (ds.get("StudyDate") or None)
    if raw is None or structure.transfer_syntax == "1.2.840.10008.1.2.1.99":
        assert structure.pixels is None
        assert structure.frames is None
        return
    assert isinstance(raw, RawDataElement)
    assert structure.pixels is not None
    assert structure.pixels.offset == raw.value_tell
    assert data[structure.pixels.offset : structure.pixels.end] == raw.value
    if structure.kind is Kind.DICOM:
        _frames_agree(data, structure, ds, structure.pixels)


def _frames_agree(data: bytes, structure: Structure, ds: Dataset, pixels: Extent) -> None:
    frames = structure.frames
    assert frames is not None
    parts = [b"".join(data[piece.offset : piece.end] for piece in frame) for frame in frames]
    count = int(ds.get("NumberOfFrames", None) or 1)
    assert len(parts) == count
    if ds.file_meta.get("TransferSyntaxUID") is not None and ds.file_meta.TransferSyntaxUID.is_compressed:
        assert parts == list(generate_frames(ds.PixelData, number_of_frames=count))
    else:
        assert data[pixels.offset : pixels.end].startswith(b"".join(parts))
        assert sum(map(len, parts)) in (pixels.length, pixels.length - 1, pixels.length - 128)


@pytest.mark.parametrize("extra", [b"", b"\0" * 3])
def test_head_value_and_tail_make_up_the_file(shipped_files: list[Path], extra: bytes) -> None:
    """The head ends with the pixel data element's header, and the tail of encapsulated data begins with the delimiter."""
    for path in shipped_files:
        data = path.read_bytes() + extra
        structure = examine(MemorySource(data))
        if structure.pixels is None or structure.kind is not Kind.DICOM:
            continue
        order = ">" if structure.transfer_syntax == "1.2.840.10008.1.2.2" else "<"
        tag, delimiter = (b"\x7f\xe0\x00\x10", b"") if order == ">" else (b"\xe0\x7f\x10\x00", b"\xfe\xff\xdd\xe0")
        assert tag in data[structure.pixels.offset - 12 : structure.pixels.offset]
        if data[structure.pixels.offset - 4 : structure.pixels.offset] == b"\xff" * 4:
            assert data[structure.pixels.end :].startswith(delimiter)
