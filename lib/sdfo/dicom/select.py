"""A few attributes of a head, fast: the walk that proves a file also looks things up."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from sdfo.dicom.attributes import PYDICOM_ERRORS, attributes, plain
from sdfo.dicom.decode import CODECS, DECODERS, EMPTY
from sdfo.dicom.elements import Coding
from sdfo.dicom.filemeta import LAST, FileMeta, data_start, meta_coding, read_file_meta
from sdfo.dicom.inflate import Inflated
from sdfo.dicom.transfer import DEFLATED, coding_of
from sdfo.dicom.vr import CHARACTER_SET, PIXEL_TAGS, TRANSFER_SYNTAX, dictionary_vr
from sdfo.dicom.walk import Walk
from sdfo.dicom.window import Window
from sdfo.errors import DicomError

_LUT_DESCRIPTORS = frozenset((0x00281101, 0x00281102, 0x00281103, 0x00283002))
"""Their first value is unsigned whatever the VR says (PS3.3 section C.11.1.1), which pydicom mends."""

_SYNTAX_ONLY = frozenset((TRANSFER_SYNTAX,))

_Raw = tuple[str | None, bytes, str]
"""VR (None: the dictionary does not know), value, byte order."""


def select(head: bytes, tags: Sequence[int], transfer_syntax: str | None = None) -> dict[int, Any]:
    """The top-level attributes `tags` of `head`, those that are there; equal to `plain(ds[tag].value)` of pydicom.

    `head` is a file's bytes before its pixel data's value (or the file, without any); `transfer_syntax` is used where
    the head has no File Meta Information. Reads no further than the largest tag, assuming ascending order (PS3.5
    section 7.1), and stops without an error where a damaged head does; pixel data is never returned.

    Values: str for text, UIDs, dates, times and person names (`family^given=…`); int for IS, US, SS, UL, SL, UV, SV and
    AT; float for DS, FL and FD; bytes for OB, OW, OF, OD, OL, OV and UN; a list of these if there are several; a list of
    {tag: value} for a sequence. An empty value is "" for text, None for numbers and bytes, [] for a sequence. Sequences,
    UN, private tags in implicit VR, text with code extensions or in other sets than `CODECS` knows, and values that break
    their VR's rules are decoded by pydicom; bytes as they lie, if it cannot.
    """
    raw: dict[int, _Raw] = {}
    with contextlib.suppress(DicomError):
        _collect(raw, head, _wanted(tuple(tags)), transfer_syntax)
    codec = CODECS.get(raw[CHARACTER_SET][1].rstrip(b"\0 ")) if CHARACTER_SET in raw else "latin-1"
    values: dict[int, Any] = {}
    unusual = []
    for tag in tags:
        if tag in raw:
            try:
                values[tag] = _decoded(tag, *raw[tag], codec)
            except ValueError:
                unusual.append(tag)
    if unusual:
        values.update(_by_pydicom(head, unusual, raw))
    return values


class _Wanted(NamedTuple):
    tags: frozenset[int]
    first: int
    last: int


@lru_cache(maxsize=64)
def _wanted(tags: tuple[int, ...]) -> _Wanted:
    """What is looked for; many heads are asked for the same."""
    wanted = (frozenset(tags) | {CHARACTER_SET}) - PIXEL_TAGS
    return _Wanted(wanted, min(wanted), max(wanted))


def _collect(raw: dict[int, _Raw], head: bytes, wanted: _Wanted, transfer_syntax: str | None) -> None:
    window, meta = Window.over(head), FileMeta()
    start = data_start(window)
    if start is None:
        return
    if wanted.first <= LAST:
        _take(raw, window, start, meta_coding(window.bytes(start, 8)), wanted.tags, LAST)
    read_file_meta(window, start, meta, _SYNTAX_ONLY)
    syntax, at = meta.values.get(TRANSFER_SYNTAX) or transfer_syntax, meta.end
    if syntax in DEFLATED:
        window, at = Window(Inflated(window.source, at)), 0
    _take(raw, window, at, coding_of(syntax, window.bytes(at, 8)), wanted.tags, wanted.last)


def _take(raw: dict[int, _Raw], window: Window, at: int, coding: Coding, wanted: frozenset[int], until: int) -> None:
    names, order = coding.names, coding.order
    for tag, vr, value, length in Walk(window, at, coding).elements(wanted, until, prove=False):
        raw[tag] = names.get(vr) or dictionary_vr(tag), window.bytes(value, length), order


def _decoded(tag: int, vr: str | None, value: bytes, order: str, codec: str | None) -> Any:
    if vr not in DECODERS or tag in _LUT_DESCRIPTORS:
        raise ValueError("for pydicom")
    return DECODERS[vr](value, order, codec) if value else EMPTY[vr]


def _by_pydicom(head: bytes, tags: list[int], raw: dict[int, _Raw]) -> dict[int, Any]:
    values: dict[int, Any] = {tag: raw[tag][1] for tag in tags}
    try:
        ds = attributes(head)
    except DicomError:
        return values
    for tag in tags:
        source = ds.file_meta if tag >> 16 == 2 else ds
        try:
            if tag in source:
                values[tag] = plain(source[tag].value)
        except PYDICOM_ERRORS:
            continue
    return values
