"""Transfer syntaxes: how the data set after the File Meta Information is encoded (PS3.5 section 10 and annex A)."""

from __future__ import annotations

from struct import unpack_from

from sdfo.dicom.elements import EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, Coding, has_vr, settled

IMPLICIT = "1.2.840.10008.1.2"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
DEFLATED = frozenset(("1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"))
"""Deflated Explicit VR Little Endian, and JPIP Referenced Deflate (plain and HTJ2K)."""

_OTHER_IMPLICIT = frozenset(("1.2.840.113619.5.2", "1.2.840.10008.1.20"))
"""GE's private syntax with swapped pixels, and Papyrus 3."""

_REFERENCED = ("1.2.840.10008.1.2.4.94", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.204", "1.2.840.10008.1.2.4.205")
_ENCAPSULATED = ("1.2.840.10008.1.2.4.", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.1.98", "1.2.840.10008.1.2.8.1")
_STREAMS = tuple(f"1.2.840.10008.1.2.4.{number}" for number in (92, 93, *range(100, 109)))
"""JPEG 2000 Part 2 multi-component and video: one codestream for many frames."""


def coding_of(transfer_syntax: str | None, first: bytes) -> Coding:
    """The coding that the syntax names, corrected by what the data set's first bytes show.

    Without a syntax they decide alone: a VR means explicit, a group number of 0x0400 and more in little endian means
    big endian. An unknown syntax is explicit VR little endian (PS3.5 section 10.1 asks it of new ones).
    """
    if transfer_syntax is None:
        return _guessed(first)
    if transfer_syntax == BIG_ENDIAN:
        return EXPLICIT_BIG
    implicit = transfer_syntax == IMPLICIT or transfer_syntax in _OTHER_IMPLICIT
    return settled(IMPLICIT_LITTLE if implicit else EXPLICIT_LITTLE, first)


def _guessed(first: bytes) -> Coding:
    if not has_vr(first):
        return IMPLICIT_LITTLE
    return EXPLICIT_BIG if unpack_from("<H", first)[0] >= 0x0400 else EXPLICIT_LITTLE


def is_implicit(transfer_syntax: str) -> bool:
    return transfer_syntax == IMPLICIT or transfer_syntax in _OTHER_IMPLICIT


def is_encapsulated(transfer_syntax: str | None) -> bool:
    """Whether pixel data, if there is any, comes in fragments."""
    return (transfer_syntax or "").startswith(_ENCAPSULATED) and transfer_syntax not in _REFERENCED


def holds_streams(transfer_syntax: str | None) -> bool:
    """Whether one fragment may hold many frames."""
    text = transfer_syntax or ""
    return any(text == stream or text.startswith(stream + ".") for stream in _STREAMS)
