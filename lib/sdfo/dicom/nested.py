"""What lies inside sequences and encapsulated values: proven with a stack, so that no nesting exhausts Python's.

PS3.5 section 7.5: a sequence holds items, an item holds elements; each has a length, which must be filled exactly, or
an undefined length and a delimiter.
"""

from __future__ import annotations

from typing import NamedTuple

from sdfo.dicom.elements import ALL, EXPLICIT_BIG, EXPLICIT_LITTLE, Coding, Run, Why, settled
from sdfo.dicom.vr import ITEM, ITEM_DELIMITER, PIXEL_TAGS, SEQUENCE_DELIMITER, UNDEFINED, tag_text
from sdfo.dicom.window import Window
from sdfo.errors import DicomError
from sdfo.model import Extent

DEPTH_MAX = 64
"""Sequences within sequences. Structured reports reach a dozen; readers that recurse (ours too, for attributes) die
of hundreds."""

FRAGMENT_WINDOW = 4096
"""Bytes read where only a fragment's header is wanted: pixels are not read, but small fragments lie many to a page."""


FRAGMENT_COST = 5
"""A fragment is remembered, so it counts as much as five elements: at most a million of them in a file."""


class Element(NamedTuple):
    """A data element: VR as the coding's integer, offset of the value in the source, length as declared."""

    tag: int
    vr: int
    value: int
    length: int


class _Level(NamedTuple):
    """A sequence (`items`) or an item. `end` is where it ends, or, if `undefined`, what it cannot reach beyond."""

    items: bool
    end: int
    undefined: bool
    coding: Coding
    at: int


def holds_fragments(element: Element, coding: Coding) -> bool:
    """Whether a value of undefined length is encapsulated (PS3.5 section A.4) rather than a sequence."""
    name = coding.names.get(element.vr)
    if name in ("SQ", "UN"):
        return False
    if name not in ("OB", "OW", None):
        raise DicomError(f"{tag_text(element.tag)} has an undefined length, which {name} cannot have")
    return name is not None or element.tag in PIXEL_TAGS


def fragments(window: Window, at: int, end: int, coding: Coding) -> tuple[list[Extent], int]:
    """The contents of an encapsulated value's items, and where its delimiter stands.

    The first item is the Basic Offset Table (PS3.5 section A.4).
    """
    found: list[Extent] = []
    while True:
        tag, length = _item_header(window, at, end, coding, FRAGMENT_WINDOW)
        if tag == SEQUENCE_DELIMITER:
            return found, at
        if tag != ITEM:
            raise DicomError("neither fragment nor delimiter", offset=at, expected=tag_text(ITEM), found=tag_text(tag))
        at += 8
        if length > end - at:  # an undefined length, which no fragment may have, is one too
            raise DicomError("a fragment is cut short", offset=at, expected=length, found=end - at)
        window.charge(FRAGMENT_COST)
        found.append(Extent(at, length))
        at += length


def sequence_end(window: Window, element: Element, coding: Coding, end: int) -> int:
    """Where the sequence ends, its delimiter included; `DicomError` if anything in it is not whole.

    A UN of undefined length is a sequence in implicit VR little endian (PS3.5 section 6.2.2 note 7), though some
    writers keep their own coding inside: each item shows which.
    """
    inside = _content_coding(window, element, coding)
    stack = [_level(True, element.value, element.length, end, inside)]
    at = element.value
    while stack:
        level = stack[-1]
        if at == level.end and not level.undefined:
            stack.pop()
        elif level.items:
            at = _next_item(window, at, stack)
        else:
            at = _next_elements(window, at, stack)
    return at


def _content_coding(window: Window, element: Element, coding: Coding) -> Coding:
    if coding.names.get(element.vr) != "UN":
        return coding
    return EXPLICIT_BIG if window.bytes(element.value, 2) == b"\xff\xfe" else EXPLICIT_LITTLE


def _level(items: bool, at: int, length: int, limit: int, coding: Coding) -> _Level:
    undefined = length == UNDEFINED
    if not undefined and length > limit - at:
        what = "a sequence is cut short" if items else "an item is cut short"
        raise DicomError(what, offset=at, expected=length, found=limit - at)
    return _Level(items, limit if undefined else at + length, undefined, coding, at)


def _item_header(window: Window, at: int, end: int, coding: Coding, ahead: int) -> tuple[int, int]:
    if end - at < 8:
        raise DicomError("an item or delimiter is cut short", offset=at, expected=8, found=end - at)
    group, number, length = coding.item(window.bytes(at, 8, ahead), 0)
    return group << 16 | number, length


def _next_item(window: Window, at: int, stack: list[_Level]) -> int:
    """The item that begins here becomes the top of the stack, or the sequence ends."""
    level = stack[-1]
    tag, length = _item_header(window, at, level.end, level.coding, FRAGMENT_WINDOW)
    window.charge(1)
    if tag == SEQUENCE_DELIMITER and level.undefined:
        stack.pop()
        return at + 8
    if tag != ITEM:
        raise DicomError("neither item nor delimiter", offset=at, expected=tag_text(ITEM), found=tag_text(tag))
    stack.append(_level(False, at + 8, length, level.end, _item_coding(window, at + 8, length, level.coding)))
    return at + 8


def _item_coding(window: Window, at: int, length: int, coding: Coding) -> Coding:
    """An explicit data set may hold implicit items, never the reverse."""
    if not coding.explicit or length == 0:
        return coding
    header = window.bytes(at, 8)
    delimiter = header[:4] in (b"\xfe\xff\x0d\xe0", b"\xff\xfe\xe0\x0d")
    return coding if delimiter else settled(coding, header)


def _next_elements(window: Window, at: int, stack: list[_Level]) -> int:
    """As far as a run goes in the item on top of the stack."""
    level = stack[-1]
    window.hold(at)
    base = window.base
    run = level.coding.run(window.data, at - base, level.end - base, (), ALL)
    window.charge(run.passed)
    if run.why is Why.CONTAINER:
        return _enter(window, Element(run.tag, run.vr, base + run.value, run.length), stack)
    if run.why is Why.DELIMITER and run.tag == ITEM_DELIMITER and level.undefined and level.end - base - run.at >= 8:
        stack.pop()
        return base + run.at + 8
    if run.why is not Why.EDGE or (run.passed == 0 and base + run.at == at):
        raise broken(run, base, level.end)
    return base + run.at


def _enter(window: Window, element: Element, stack: list[_Level]) -> int:
    level = stack[-1]
    if element.length == UNDEFINED and holds_fragments(element, level.coding):
        _, delimiter = fragments(window, element.value, level.end, level.coding)
        return delimiter + 8
    if len(stack) >= 2 * DEPTH_MAX:
        raise DicomError("sequences nested too deep", offset=element.value, expected=DEPTH_MAX, found=DEPTH_MAX + 1)
    coding = _content_coding(window, element, level.coding)
    stack.append(_level(True, element.value, element.length, level.end, coding))
    return element.value


def broken(run: Run, base: int, end: int) -> DicomError:
    """Why what `run` stopped at is no whole element of what ends at `end`."""
    at = base + run.at
    if run.why is Why.EDGE:
        return DicomError("an element's header is cut short", offset=at, expected=8, found=end - at)
    if run.why is Why.CUT:
        what = f"the value of {tag_text(run.tag)} is cut short"
        return DicomError(what, offset=base + run.value, expected=run.length, found=end - base - run.value)
    if run.why is Why.DELIMITER:
        return DicomError(f"{tag_text(run.tag)} stands where an element should", offset=at)
    return DicomError("these bytes are no element", offset=at)
