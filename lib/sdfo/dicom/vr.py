"""Value representations and the tags that this floor speaks of (PS3.5 sections 6.2 and 7.1.2; PS3.6)."""

from __future__ import annotations

from pydicom.datadict import DicomDictionary  # type: ignore[attr-defined]  # imported there, not declared

SHORT = frozenset("AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())  # noqa: SIM905
"""VRs whose length field has 16 bits (PS3.5 table 7.1-2)."""

LONG = frozenset("OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())  # noqa: SIM905
"""VRs with two reserved bytes and a length field of 32 bits (PS3.5 table 7.1-1)."""

UNDEFINED = 0xFFFFFFFF
"""The length field of a value that a delimiter ends (PS3.5 section 7.1.1)."""

ITEM, ITEM_DELIMITER, SEQUENCE_DELIMITER = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD

MEDIA_CLASS, MEDIA_INSTANCE, TRANSFER_SYNTAX = 0x00020002, 0x00020003, 0x00020010
CHARACTER_SET = 0x00080005
SOP_CLASS, SOP_INSTANCE, STUDY_DATE = 0x00080016, 0x00080018, 0x00080020
STUDY, SERIES = 0x0020000D, 0x0020000E
SAMPLES, PHOTOMETRIC, FRAME_COUNT = 0x00280002, 0x00280004, 0x00280008
ROWS, COLUMNS, BITS_ALLOCATED, PIXEL_PROVIDER = 0x00280010, 0x00280011, 0x00280100, 0x00287FE0
EXTENDED_OFFSETS, EXTENDED_LENGTHS = 0x7FE00001, 0x7FE00002
FLOAT_PIXELS, DOUBLE_PIXELS, PIXELS = 0x7FE00008, 0x7FE00009, 0x7FE00010
PIXEL_TAGS = frozenset((FLOAT_PIXELS, DOUBLE_PIXELS, PIXELS))

SEQUENCES = frozenset(tag for tag, entry in DicomDictionary.items() if entry[0] == "SQ")
"""Standard tags that are sequences: in implicit VR only the dictionary says so. A private or unknown value of a defined
length is opaque there."""


def dictionary_vr(tag: int) -> str | None:
    """The VR that PS3.6 gives a tag (`US or SS` where it depends); None for private and repeating ones."""
    return DicomDictionary[tag][0] if tag in DicomDictionary else None


def tag_text(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
