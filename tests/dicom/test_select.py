"""`select` and `attributes` against pydicom reading the whole file."""

from __future__ import annotations

import math
import struct
import warnings
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.charset import python_encoding

from sdfo.dicom import MemorySource, attributes, examine, select
from sdfo.dicom.attributes import PYDICOM_ERRORS, plain
from sdfo.dicom.decode import DECODERS
from sdfo.errors import DicomError
from sdfo.model import Kind
from sdfo.testing.odd import surgery
from sdfo.testing.shipped import shipped

TEN = [
    *(0x00080018, 0x00080020, 0x00080060, 0x00100010, 0x00100020, 0x00180050, 0x0020000D, 0x0020000E),
    *(0x00200013, 0x00280010),
]
UNREADABLE = {"crayons.icc", "no_meta.dcm", "README", "README.md", "README.txt", "FileInfo.txt", "zipMR.gz"}
PLAIN = (str, int, float, bytes, list, dict, type(None))


def _head(data: bytes) -> bytes:
    pixels = examine(MemorySource(data)).pixels
    return data if pixels is None else data[: pixels.offset]


def _by_pydicom(ds: Dataset) -> dict[int, Any]:
    """Every value as plain Python; bytes as they lie for what pydicom refuses to decode."""
    values: dict[int, Any] = {}
    for tag in [*ds.file_meta.keys(), *ds.keys()]:
        source = ds.file_meta if tag.group == 2 else ds
        raw = source.get_item(tag)
        try:
            values[int(tag)] = plain(source[tag].value)
        except PYDICOM_ERRORS:
            values[int(tag)] = raw.value
    return {tag: value for tag, value in values.items() if tag < 0x7FE00008 or "PixelData" not in ds}


def _same(found: Any, expected: Any) -> bool:
    """Equal in value and in type, all the way down."""
    if isinstance(expected, list):
        return type(found) is list and len(found) == len(expected) and all(map(_same, found, expected))
    if isinstance(expected, dict):
        return (
            type(found) is dict and found.keys() == expected.keys() and all(_same(found[k], expected[k]) for k in found)
        )
    if isinstance(expected, float) and math.isnan(expected):
        return type(found) is float and math.isnan(found)
    return type(found) is type(expected) and type(found) in PLAIN and bool(found == expected)


def _check(data: bytes) -> int:
    expected = _by_pydicom(dcmread(BytesIO(data), force=True))
    head = _head(data)
    assert select(head, []) == {}
    found = select(head, list(expected))
    assert found.keys() == expected.keys()
    wrong = {hex(tag): (found[tag], expected[tag]) for tag in found if not _same(found[tag], expected[tag])}
    assert wrong == {}
    return len(found)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_every_tag_of_every_shipped_file(shipped_file: Path) -> None:
    """All top-level values of pydicom's files, taken from the head alone, equal pydicom's from the whole file."""
    data = shipped_file.read_bytes()
    if shipped_file.name not in UNREADABLE and shipped_file.suffix != ".dump" and "truncated" not in shipped_file.name:
        assert _check(data) > 0


def test_every_tag_of_real_exams(real_files: list[Path]) -> None:
    """The same for real CT and MR heads with their private elements, and one tag at a time."""
    for path in real_files[:: len(real_files) // 30]:
        data = path.read_bytes()
        if examine(MemorySource(data)).kind is Kind.DICOM:
            assert _check(data) > 80
            head, expected = _head(data), _by_pydicom(dcmread(BytesIO(data)))
            for tag in TEN:
                assert select(head, [tag]) == ({tag: expected[tag]} if tag in expected else {})


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"])
def test_without_file_meta_the_syntax_may_be_told(image: Callable[..., bytes], syntax: str) -> None:
    data = _head(image(syntax))
    bare = data[surgery.meta_end(data) :]
    expected = {0x00080018: "1.2.3.4.1", 0x00280010: 4, 0x00100010: "SYNTHETIC^NAME"}
    assert select(bare, list(expected), syntax) == select(bare, list(expected)) == expected


def test_a_syntax_that_is_told_is_believed() -> None:
    """Where the File Meta Information lacks the syntax, a first group of 0x0400 and more would pass for big endian."""
    meta = surgery.PREAMBLE + surgery.element((0x0002, 0x0002), b"UI", b"1.2\0")
    head = meta + surgery.element((0x2010, 0x0010), b"ST", b"STANDARD")
    assert select(head, [0x20100010], "1.2.840.10008.1.2.1") == {0x20100010: "STANDARD"}
    assert select(head, [0x20100010]) == {}


def test_deflated_heads(image: Callable[..., bytes]) -> None:
    """The head of a deflated file is the file; it is inflated to look things up, charset and all."""
    data = image("1.2.840.10008.1.2.1.99", SpecificCharacterSet="ISO_IR 192", PatientName="Ångström^Ærø")
    expected = {0x00020010: "1.2.840.10008.1.2.1.99", 0x00100010: "Ångström^Ærø", 0x00280011: 6}
    assert select(data, list(expected)) == expected
    ds = attributes(data)
    assert (ds.PatientName, ds.Columns, ds.file_meta.TransferSyntaxUID) == ("Ångström^Ærø", 6, "1.2.840.10008.1.2.1.99")
    assert "PixelData" not in ds


def test_select_stops_where_a_head_does(image: Callable[..., bytes]) -> None:
    """A cut head gives what it has; no DICOM gives nothing."""
    data = image()
    at, length = surgery.value_at(data, surgery.STUDY)
    assert select(data[: at + length], TEN).keys() == {0x00080018, 0x00080020, 0x00100010, 0x0020000D}
    assert select(data[: at + length - 1], TEN).keys() == {0x00080018, 0x00080020, 0x00100010}
    assert select(b"no DICOM", TEN) == {}


def test_pixels_are_never_selected(image: Callable[..., bytes]) -> None:
    """Not even from a whole file given for a head."""
    assert select(image(), [0x7FE00010, 0x00280010]) == {0x00280010: 4}


ESCAPES = (b"\x1b$B", b"\x1b(B", b"\x1b-F", b"\x1b$)C", b"\x1b(J", b"\x1b")
PIECES = st.sampled_from((*ESCAPES, b"abc", b"\xc1\xe2", b"\xb0\xa1", b"\\", b"^", b"=", b" ", b"\0"))
TEXTS = st.binary(max_size=40) | st.text(max_size=12).map(str.encode) | st.lists(PIECES, max_size=9).map(b"".join)
TEXT_VRS = {"LO": 0x00080070, "SH": 0x00080050, "LT": 0x00204000, "ST": 0x00080081, "UT": 0x00287FE0, "PN": 0x00100010}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    "charset", sorted({*python_encoding, "ISO 2022 IR 6\\ISO 2022 IR 87", "ISO-IR 100", "nonsense"})
)
@hypothesis_settings(max_examples=25)
@given(value=TEXTS, vr=st.sampled_from(sorted(TEXT_VRS)))
def test_text_in_any_character_set(charset: str, value: bytes, vr: str) -> None:
    """Any bytes under any Specific Character Set are decoded as pydicom decodes them, quickly or by pydicom itself."""
    _check_value(vr, TEXT_VRS[vr], value, charset.encode())


DATES = st.text("0123456789.: \\\0", max_size=20)
NUMBERS = st.text("0123456789.+-eE_ \\\0", max_size=20) | st.floats().map(str) | st.integers().map(str)
TAGS_BY_VR = {
    **{"AE": 0x00080054, "AS": 0x00101010, "CS": 0x00080060, "DA": 0x00080020, "DT": 0x0008002A, "TM": 0x00080030},
    **{"UI": 0x00080018, "UR": 0x00080190, "UC": 0x00080119, "DS": 0x00180050, "IS": 0x00200013, "AT": 0x00280009},
    **{"US": 0x00280010, "SS": 0x00189219, "UL": 0x00080000, "SL": 0x00186020, "FL": 0x00089459, "FD": 0x00189322},
    **{"SV": 0x0072006F, "UV": 0x0008040C, "OB": 0x00420011, "OW": 0x00281201, "OF": 0x00660016, "OD": 0x00700022},
    **{"OL": 0x00660129, "OV": 0x7FE00001, "UN": 0x00102000},
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("vr", sorted(TAGS_BY_VR))
@pytest.mark.parametrize("order", ["<", ">"])
@hypothesis_settings(max_examples=60)
@given(value=st.binary(max_size=26) | (DATES | NUMBERS).map(str.encode))
def test_values_of_every_vr(vr: str, order: str, value: bytes) -> None:
    """Any bytes under any VR: what pydicom makes of them, and bytes as they lie where it makes nothing."""
    _check_value(vr, TAGS_BY_VR[vr], value, None, order)


def _check_value(vr: str, tag: int, value: bytes, charset: bytes | None, order: str = "<") -> None:
    syntax = "1.2.840.10008.1.2.1" if order == "<" else "1.2.840.10008.1.2.2"

    def element(tag: int, vr: str, value: bytes) -> bytes:
        long = vr in ["OB", "OW", "OF", "OD", "OL", "OV", "SV", "UC", "UN", "UR", "UT", "UV"]
        length = bytes(2) + struct.pack(f"{order}L", len(value)) if long else struct.pack(f"{order}H", len(value))
        return struct.pack(f"{order}HH", tag >> 16, tag & 0xFFFF) + vr.encode() + length + value

    elements = [(tag, element(tag, vr, value))]
    if charset is not None:
        elements.append((0x00080005, element(0x00080005, "CS", charset)))
    head = surgery.file_meta(syntax) + b"".join(data for _, data in sorted(elements))
    expected = _by_pydicom(dcmread(BytesIO(head)))
    found = select(head, [tag])
    assert found.keys() == {tag}
    assert _same(found[tag], expected[tag]), (found, expected[tag])


def test_every_vr_is_tried() -> None:
    """A VR that gets a decoder gets a test."""
    assert set(DECODERS) | {"UN"} == set(TAGS_BY_VR) | set(TEXT_VRS)


def test_lut_descriptors(image: Callable[..., bytes]) -> None:
    """Their first value is unsigned though their VR may be SS."""
    descriptor = surgery.element((0x0028, 0x1101), b"SS", struct.pack("<hhh", -1, 0, 16))
    assert select(surgery.before_pixels(image(), descriptor), [0x00281101]) == {0x00281101: [65535, 0, 16]}


def test_sequences_come_as_plain_values(image: Callable[..., bytes]) -> None:
    """A list of items, each a dict; nested as deep as the file has them."""
    inner, outer = Dataset(), Dataset()
    inner.CodeValue, inner.ReferencedFrameNumber = "T-04000", [1, 2]
    outer.PurposeOfReferenceCodeSequence = [inner]
    outer.SliceThickness = "1.5"
    data = _head(image(SourceImageSequence=[outer, Dataset()]))
    expected = [{0x0040A170: [{0x00080100: "T-04000", 0x00081160: [1, 2]}], 0x00180050: 1.5}, {}]
    assert _same(select(data, [0x00082112])[0x00082112], expected)


def test_private_tags_in_implicit_vr(image: Callable[..., bytes], element: Callable[..., bytes]) -> None:
    """Their VRs are in pydicom's private dictionary, by their creator; of an unknown creator bytes come back."""
    data = image("1.2.840.10008.1.2")
    at = data.rindex(b"\xe0\x7f\x10\x00")
    known = element(0x00190010, None, b"SIEMENS MR HEADER ") + element(0x0019100C, None, b"1000")
    head = data[:at] + known + element(0x00291010, None, b"what?")
    assert select(head, [0x00190010, 0x0019100C, 0x00291010]) == {
        0x00190010: "SIEMENS MR HEADER",
        0x0019100C: 1000,
        0x00291010: b"what?",
    }


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_attributes_of_a_head_are_those_of_the_file(shipped_file: Path) -> None:
    """Every attribute, nested ones too, equals what pydicom reads in the whole file before its pixels."""
    data = shipped_file.read_bytes()
    if shipped_file.name in UNREADABLE or shipped_file.suffix == ".dump":
        return
    found, expected = attributes(_head(data)), dcmread(BytesIO(data), force=True, stop_before_pixels=True)
    assert found.file_meta == expected.file_meta
    assert found.to_json_dict(suppress_invalid_tags=True) == expected.to_json_dict(suppress_invalid_tags=True)


def test_attributes_refuses_what_is_no_head(image: Callable[..., bytes], element: Callable[..., bytes]) -> None:
    """No DICOM; a thousand sequences within each other; a broken deflate stream: DicomError each time."""
    down = element(0x0040A730, "SQ", element(0xFFFEE000, None, b"", 0xFFFFFFFF), 0xFFFFFFFF)
    deflated = image("1.2.840.10008.1.2.1.99")
    for head in (b"no DICOM", surgery.before_pixels(image(), down * 1000), deflated[:-3]):
        with pytest.raises(DicomError):
            attributes(head)


def test_values_that_break_their_vr_are_not_quoted_in_a_warning(image: Callable[..., bytes]) -> None:
    """pydicom warns of such values and quotes them, unless told not to: a log must not name patients."""
    data = surgery.with_value(image(InstanceNumber="1"), surgery.STUDY, b"SECRET")
    data = surgery.with_value(data, (0x0020, 0x0013), b"123456.5")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ds = attributes(_head(data))
        assert (ds.StudyInstanceUID, ds.InstanceNumber) == ("SECRET", 123456.5)
        assert select(_head(data), [0x0020000D, 0x00200013]) == {0x0020000D: "SECRET", 0x00200013: 123456.5}
    assert [str(warning.message) for warning in caught] == []


def test_shipped_is_the_locked_pydicom() -> None:
    """`plain` and the decoders were compared with this version; another one must be compared anew."""
    assert pydicom.__version__ == "3.0.2"
    assert shipped("CT_small.dcm").is_file()
