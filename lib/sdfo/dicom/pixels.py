"""Whether the pixel data is all there, measured against the Image Pixel module (PS3.3 section C.7.6.3; PS3.5 annex A)."""

from __future__ import annotations

from dataclasses import dataclass

from sdfo.dicom.facts import Facts
from sdfo.dicom.nested import Element
from sdfo.dicom.transfer import holds_streams, is_encapsulated
from sdfo.dicom.vr import BITS_ALLOCATED, COLUMNS, FRAME_COUNT, PHOTOMETRIC, PIXELS, ROWS, SAMPLES, tag_text
from sdfo.errors import DicomError

_HALVED = frozenset(("YBR_FULL_422", "YBR_PARTIAL_422"))
"""Photometric interpretations whose two chroma samples are shared by two pixels: 2 samples a pixel (PS3.3 C.7.6.3.1.2)."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """The size of a native pixel matrix."""

    frames: int
    frame_bits: int
    full_bits: int
    """The same without the halving of YBR_FULL_422."""

    @property
    def length(self) -> int:
        return -(-self.frames * self.frame_bits // 8)


def frame_count(facts: Facts) -> int | None:
    """NumberOfFrames; 1 where it is absent, empty or 0, None where it is no number."""
    text = facts.texts.get(FRAME_COUNT, "").strip()
    if not text:
        return 1
    if not text.isascii() or not text.isdigit() or len(text) > 12:
        return None
    return int(text) or 1


def check_pixels(facts: Facts, pixels: Element) -> Matrix | None:
    """`DicomError` unless the pixel data is whole. The matrix that it was measured against, None for fragments.

    Whole means: a native value is not shorter than its matrix; an encapsulated one has its delimiter (the walk saw to
    that) and at least one fragment for each frame.
    """
    if facts.fragments is not None:
        _check_fragments(facts, pixels, len(facts.fragments) - 1)
        return None
    if is_encapsulated(facts.transfer_syntax):
        raise DicomError(f"{tag_text(pixels.tag)} should come in fragments and does not", offset=pixels.value)
    matrix = matrix_of(facts)
    if pixels.length < matrix.length:
        raise DicomError(
            f"{tag_text(pixels.tag)} is shorter than its image",
            offset=pixels.value,
            expected=matrix.length,
            found=pixels.length,
        )
    _note_surplus(facts, matrix, pixels.length - matrix.length)
    return matrix


def matrix_of(facts: Facts) -> Matrix:
    missing = [tag_text(tag) for tag in (ROWS, COLUMNS, BITS_ALLOCATED) if tag not in facts.numbers]
    frames = frame_count(facts)
    if frames is None:
        missing.append(tag_text(FRAME_COUNT))
    if missing or frames is None:
        raise DicomError(f"the pixel data cannot be measured: {', '.join(missing)} absent or no number")
    numbers = facts.numbers
    samples = numbers.get(SAMPLES, 1)
    plane = numbers[ROWS] * numbers[COLUMNS] * numbers[BITS_ALLOCATED]
    halved = samples == 3 and facts.texts.get(PHOTOMETRIC, "").strip() in _HALVED
    return Matrix(frames, plane * (2 if halved else samples), plane * samples)


def _note_surplus(facts: Facts, matrix: Matrix, surplus: int) -> None:
    if surplus > matrix.length % 2:  # one byte makes an odd value even (PS3.5 section 8.1.1)
        halved = matrix.frame_bits != matrix.full_bits
        what = f"{facts.texts[PHOTOMETRIC].strip()} pixel matrix" if halved else "pixel matrix"
        facts.notes.append(f"{surplus} surplus bytes after the {what}")


def _check_fragments(facts: Facts, pixels: Element, count: int) -> None:
    if count < 0:
        raise DicomError("encapsulated pixel data without an offset table item", offset=pixels.value)
    if pixels.tag != PIXELS:
        raise DicomError(f"{tag_text(pixels.tag)} cannot come in fragments", offset=pixels.value)
    frames = frame_count(facts)
    needed = 1 if frames is None or holds_streams(facts.transfer_syntax) else frames
    if count < needed:
        raise DicomError("fewer fragments than frames", offset=pixels.value, expected=needed, found=count)
    if frames is None:
        facts.notes.append(f"{tag_text(FRAME_COUNT)} is no number")
    if not is_encapsulated(facts.transfer_syntax):
        facts.notes.append("encapsulated pixel data under a transfer syntax that does not say so")
