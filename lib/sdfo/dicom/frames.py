"""Where each frame lies in the file: what lets a reader fetch one without the others (PS3.5 sections 8.1.1 and A.4)."""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise
from struct import unpack

from sdfo.dicom.facts import Facts
from sdfo.dicom.nested import Element
from sdfo.dicom.pixels import Matrix, frame_count
from sdfo.dicom.transfer import holds_streams
from sdfo.dicom.vr import EXTENDED_LENGTHS, EXTENDED_OFFSETS
from sdfo.dicom.window import Window
from sdfo.model import Extent, Frames

FRAMES_MAX = 262_144
"""Frames that are listed, some 30 MB of values; a file with more keeps `frames` None."""


def native_frames(pixels: Element, matrix: Matrix) -> Frames | None:
    """Equal slices of the value; None if a frame does not end on a byte.

    A YBR_FULL_422 value long enough for full samples may be either, so that one cannot be told.
    """
    size, rest = divmod(matrix.frame_bits, 8)
    if matrix.frames == 1:
        return ((Extent(pixels.value, matrix.length),),) if matrix.length else None
    if rest or not size or matrix.frames > FRAMES_MAX or _perhaps_full(pixels, matrix):
        return None
    return tuple((Extent(at, size),) for at in range(pixels.value, pixels.value + matrix.length, size))


def _perhaps_full(pixels: Element, matrix: Matrix) -> bool:
    return matrix.full_bits != matrix.frame_bits and pixels.length >= matrix.frames * matrix.full_bits // 8


def encapsulated_frames(facts: Facts, window: Window) -> Frames | None:
    """The fragments of each frame, by the first of these that settles it: there is one frame; the Extended Offset
    Table; the Basic Offset Table; there are as many fragments as frames."""
    table, *pieces = facts.fragments or []
    count = frame_count(facts)
    if count is None or count > FRAMES_MAX or len(pieces) > FRAMES_MAX or holds_streams(facts.transfer_syntax):
        return (tuple(pieces),) if count == 1 and len(pieces) <= FRAMES_MAX else None
    if count == 1:
        return (tuple(pieces),)
    frames = _extended(facts, window, pieces, count) or _basic(facts, window, table, pieces, count)
    if frames is None and (table.length or EXTENDED_OFFSETS in facts.places):
        facts.notes.append("the offset table does not fit the fragments")
    return frames or (tuple((piece,) for piece in pieces) if len(pieces) == count else None)


def _basic(facts: Facts, window: Window, table: Extent, pieces: list[Extent], count: int) -> Frames | None:
    """PS3.5 table A.4-2: 32-bit offsets of each frame's first item, counted from the item after the table."""
    if table.length == 0:
        return None
    if table.length != 4 * count:
        return None
    offsets = unpack(f"{facts.coding.order}{count}L", window.bytes(table.offset, table.length, ahead=0))
    return _cut_at(pieces, offsets)


def _extended(facts: Facts, window: Window, pieces: list[Extent], count: int) -> Frames | None:
    """PS3.3 section C.7.6.3.1.8: 64-bit offsets, one fragment for each frame, and the lengths without padding."""
    offsets, lengths = facts.places.get(EXTENDED_OFFSETS), facts.places.get(EXTENDED_LENGTHS)
    if offsets is None or lengths is None:
        return None
    if offsets.length != 8 * count or lengths.length != 8 * count:
        return None
    form = f"{facts.coding.order}{count}Q"
    frames = _cut_at(pieces, unpack(form, window.bytes(offsets.offset, offsets.length, ahead=0)))
    true = unpack(form, window.bytes(lengths.offset, lengths.length, ahead=0))
    if frames is None or any(len(f) != 1 or n > f[0].length for f, n in zip(frames, true, strict=True)):
        return None
    return tuple((Extent(frame[0].offset, length),) for frame, length in zip(frames, true, strict=True))


def _cut_at(pieces: list[Extent], offsets: tuple[int, ...]) -> Frames | None:
    """`pieces` divided where the items at `offsets` begin; None unless each is an item's, ascending, the first 0."""
    first = pieces[0].offset
    starts = [piece.offset - first for piece in pieces]
    cuts = [bisect_left(starts, offset) for offset in offsets]
    exact = all(cut < len(starts) and starts[cut] == offset for cut, offset in zip(cuts, offsets, strict=True))
    if not exact or cuts[0] != 0 or any(a >= b for a, b in pairwise(cuts)):
        return None
    return tuple(tuple(pieces[a:b]) for a, b in pairwise([*cuts, len(pieces)]))
