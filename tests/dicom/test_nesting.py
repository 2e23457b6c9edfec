"""Sequences: what lies in them is proven too, and is nobody's pixel data or UID but their own."""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable

import pytest
from pydicom import Dataset, Sequence

from sdfo.dicom import MemorySource, Structure, examine, select
from sdfo.dicom.nested import DEPTH_MAX
from sdfo.model import Kind
from sdfo.testing.odd import surgery

Element = Callable[..., bytes]
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
UNDEFINED = 0xFFFFFFFF
PRIVATE = 0x00290010
SYNTAXES = {"implicit": "1.2.840.10008.1.2", "little": "1.2.840.10008.1.2.1", "big": "1.2.840.10008.1.2.2"}


def _examined(data: bytes) -> Structure:
    return examine(MemorySource(data))


def _with(image: Callable[..., bytes], elements: bytes) -> bytes:
    """An explicit little endian image with these bytes before its pixel data element."""
    return surgery.before_pixels(image(), elements)


@pytest.mark.parametrize("syntax", SYNTAXES.values(), ids=SYNTAXES)
@pytest.mark.parametrize("undefined", [False, True], ids=["defined", "undefined"])
def test_an_icon_is_not_the_image(image: Callable[..., bytes], syntax: str, undefined: bool) -> None:
    """The pixel data, rows and UIDs inside a sequence are not taken for the image's."""
    icon = Dataset()
    icon.Rows, icon.Columns, icon.BitsAllocated, icon.SamplesPerPixel = 999, 999, 8, 1
    icon.SOPInstanceUID = icon.StudyInstanceUID = "9.9.9"
    icon.PhotometricInterpretation, icon.PixelRepresentation = "MONOCHROME2", 0
    icon.add_new(0x7FE00010, "OB", b"icon")
    icons = Sequence([icon])
    icons.is_undefined_length = icon.is_undefined_length_sequence_item = undefined
    data = image(syntax, pixels=b"I" * 24, IconImageSequence=icons)
    structure = _examined(data)
    assert (structure.kind, structure.reason) == (Kind.DICOM, None)
    assert structure.pixels is not None
    assert data[structure.pixels.offset : structure.pixels.end] == b"I" * 24
    assert (structure.sop, structure.study) == ("1.2.3.4.1", "1.2.3.4.2")


def test_an_icon_in_fragments_is_not_the_image(image: Callable[..., bytes], element: Element) -> None:
    """An encapsulated icon is stepped over fragment by fragment; one that is not closed is damage."""
    pieces = element(ITEM, None, b"") + element(ITEM, None, b"icon") + element(SEQUENCE_END, None, b"")
    icon = element(0x7FE00010, "OB", pieces, UNDEFINED)
    item = element(ITEM, None, icon)
    assert _examined(_with(image, element(0x00880200, "SQ", item))).kind is Kind.DICOM
    cut = element(ITEM, None, element(0x7FE00010, "OB", pieces[:-8], UNDEFINED))
    assert "an item or delimiter is cut short" in str(_examined(_with(image, element(0x00880200, "SQ", cut))).reason)


def test_fragments_elsewhere_are_not_the_pixels(image: Callable[..., bytes], element: Element) -> None:
    """A private OB of undefined length is stepped over; a fragment that does not fit is damage."""
    pieces = element(ITEM, None, b"") + element(ITEM, None, b"private!")
    whole = element(0x00291010, "OB", pieces + element(SEQUENCE_END, None, b""), UNDEFINED)
    structure = _examined(_with(image, whole))
    assert (structure.kind, structure.notes) == (Kind.DICOM, ())
    assert structure.frames is not None
    cut = _examined(_with(image, element(0x00291010, "OB", element(ITEM, None, b"", 9999), UNDEFINED)))
    assert "a fragment is cut short at offset" in str(cut.reason)


@pytest.mark.parametrize("coding", ["<implicit", "<explicit", ">explicit"])
def test_un_of_undefined_length_is_a_sequence(image: Callable[..., bytes], element: Element, coding: str) -> None:
    """Its items are implicit little endian by PS3.5 section 6.2.2; explicit ones of either order are read as well."""
    order, vr = coding[0], "LO" if coding[1:] == "explicit" else None
    inner = element(0x00080080, vr, b"somewhere", order=order)
    ends = element(ITEM_END, None, b"", order=order), element(SEQUENCE_END, None, b"", order=order)
    item = element(ITEM, None, inner, UNDEFINED, order=order) + ends[0]
    data = _with(image, element(0x00291010, "UN", item + ends[1], UNDEFINED))
    assert (_examined(data).kind, _examined(data).reason) == (Kind.DICOM, None)
    broken = _with(image, element(0x00291010, "UN", item[:-10] + ends[1], UNDEFINED))
    assert _examined(broken).kind is Kind.DAMAGED


def test_implicit_items_in_an_explicit_file(image: Callable[..., bytes], element: Element) -> None:
    """Some writers leave out the VRs inside a sequence: such items are walked as what they are."""
    implicit = element(ITEM, None, element(0x00080080, None, b"somewhere ") + element(0x00081030, None, b"x" * 30))
    assert _examined(_with(image, element(0x00400275, "SQ", implicit))).kind is Kind.DICOM


def test_un_of_defined_length_is_opaque(image: Callable[..., bytes], element: Element) -> None:
    """What it holds is not looked at: nothing says how it is encoded."""
    assert _examined(_with(image, element(0x00291010, "UN", b"\xfe\xff\x00\xe0nonsense"))).kind is Kind.DICOM


BROKEN = {
    "an item beyond its sequence": (lambda e: e(0x00400275, "SQ", e(ITEM, None, b"", 2)), "an item is cut short"),
    "an element beyond its item": (
        lambda e: e(0x00400275, "SQ", e(ITEM, None, e(0x00400007, "LO", b"ab", 4)) + e(ITEM, None, b"")),
        "the value of (0040,0007) is cut short",
    ),
    "a header beyond its item": (
        lambda e: e(0x00400275, "SQ", e(ITEM, None, b"\x40\0\x07\0LO") + e(ITEM, None, b"")),
        "an element's header is cut short",
    ),
    "no item": (lambda e: e(0x00400275, "SQ", e(0x00400007, "LO", b"")), "neither item nor delimiter"),
    "a delimiter in a sequence of defined length": (
        lambda e: e(0x00400275, "SQ", e(SEQUENCE_END, None, b"")),
        "neither item nor delimiter",
    ),
    "an item delimiter in an item of defined length": (
        lambda e: e(0x00400275, "SQ", e(ITEM, None, e(ITEM_END, None, b""))),
        "(FFFE,E00D) stands where an element should",
    ),
    "a sequence delimiter in an item": (
        lambda e: e(0x00400275, "SQ", e(ITEM, None, e(SEQUENCE_END, None, b""), UNDEFINED), UNDEFINED),
        "(FFFE,E0DD) stands where an element should",
    ),
    "an item at the top": (lambda e: e(ITEM, None, b""), "(FFFE,E000) stands where an element should"),
    "a sequence beyond the file": (lambda e: e(0x00400275, "SQ", b"", 9999), "a sequence is cut short"),
    "text of undefined length": (lambda e: e(0x00400280, "UT", b"", UNDEFINED), "an undefined length, which UT"),
    "no VR in the middle": (lambda e: e(0x00400280, None, b""), "these bytes are no element"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_sequences_are_damage(image: Callable[..., bytes], element: Element, case: str) -> None:
    """Each way of lying about a length has its own reason, with an offset."""
    make, reason = BROKEN[case]
    structure = _examined(_with(image, make(element)))
    assert structure.kind is Kind.DAMAGED
    assert reason in str(structure.reason)
    assert structure.sop == "1.2.3.4.1"


def _nested(element: Element, depth: int, undefined: bool) -> bytes:
    if undefined:
        down = element(0x0040A730, "SQ", element(ITEM, None, b"", UNDEFINED), UNDEFINED)
        return down * depth + (element(ITEM_END, None, b"") + element(SEQUENCE_END, None, b"")) * depth
    lengths = range(20 * depth - 20, -20, -20)
    return b"".join(element(0x0040A730, "SQ", element(ITEM, None, b"", n), n + 8) for n in lengths)


@pytest.mark.parametrize("undefined", [False, True], ids=["defined", "undefined"])
def test_depth_is_limited(image: Callable[..., bytes], element: Element, undefined: bool) -> None:
    """DEPTH_MAX sequences within each other are walked, one more and a thousand are refused, without a deep stack."""
    assert _examined(_with(image, _nested(element, DEPTH_MAX, undefined))).kind is Kind.DICOM
    for depth in (DEPTH_MAX + 1, 1000, 20_000):
        structure = _examined(_with(image, _nested(element, depth, undefined)))
        assert structure.kind is Kind.DAMAGED
        assert "sequences nested too deep" in str(structure.reason)
        assert f"expected {DEPTH_MAX}, found {DEPTH_MAX + 1}" in str(structure.reason)


def test_the_walk_needs_no_stack(image: Callable[..., bytes], element: Element) -> None:
    """The deepest allowed nesting is walked with hardly any room on Python's stack."""
    data = _with(image, _nested(element, DEPTH_MAX, undefined=True))
    frame, used = sys._getframe(), 0
    while frame is not None:
        frame, used = frame.f_back, used + 1  # type: ignore[assignment]
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(used + 40)
    try:
        kind = _examined(data).kind
    finally:
        sys.setrecursionlimit(limit)
    assert kind is Kind.DICOM


def test_sequences_in_implicit_vr_are_known_by_the_dictionary(image: Callable[..., bytes], element: Element) -> None:
    """A standard sequence of defined length is walked; a private value of defined length is opaque."""
    data = image("1.2.840.10008.1.2")
    at = data.rindex(b"\xe0\x7f\x10\x00")
    item = element(ITEM, None, element(0x00400007, None, b"ab", 4)) + element(ITEM, None, b"")
    for tag, kind in ((0x00400275, Kind.DAMAGED), (0x00411010, Kind.DICOM)):
        assert _examined(data[:at] + element(tag, None, item) + data[at:]).kind is kind


def test_select_reads_past_sequences(image: Callable[..., bytes], element: Element) -> None:
    """Tags after sequences of either kind of length are found, tags inside are not."""
    inner = element(ITEM, None, element(0x00400007, "LO", b"inside"))
    before = element(0x00400275, "SQ", inner) + element(
        0x00400276, "UN", inner.replace(b"LO\x06\0", struct.pack("<L", 6)) + element(SEQUENCE_END, None, b""), UNDEFINED
    )
    data = _with(image, before + element(0x00400280, "ST", b"after "))
    assert select(data, [0x00400007, 0x00400280]) == {0x00400280: "after"}
