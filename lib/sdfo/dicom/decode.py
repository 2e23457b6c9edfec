"""Values by VR, as plain Python (PS3.5 section 6.2), for the values that are as they should be.

A decoder raises ValueError for any value that it is not sure of (a character set with escapes, a number that is none,
a length that does not fit); whoever asked then leaves it to pydicom. What is returned equals pydicom's.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import calcsize, unpack
from typing import Any

Decoder = Callable[[bytes, str, str | None], Any]
"""(value, `<` or `>`, codec of the text if CODECS knows it) → str, int, float, bytes, or a list of them."""

_EXACT_FLOAT = 2**53

CODECS = {
    b"": "latin-1",
    b"ISO_IR 6": "latin-1",
    b"ISO_IR 100": "latin-1",
    b"ISO_IR 101": "iso8859_2",
    b"ISO_IR 109": "iso8859_3",
    b"ISO_IR 110": "iso8859_4",
    b"ISO_IR 126": "iso8859_7",
    b"ISO_IR 127": "iso8859_6",
    b"ISO_IR 138": "iso8859_8",
    b"ISO_IR 144": "iso8859_5",
    b"ISO_IR 148": "iso8859_9",
    b"ISO_IR 166": "tis_620",
    b"ISO_IR 192": "utf-8",
}
"""Specific Character Set → codec (PS3.3 table C.12-2); all others are left to pydicom. The default repertoire is read
as Latin-1, as there."""


def _code(value: bytes, order: str, codec: str | None) -> Any:
    text = value.decode("latin-1").rstrip(" \0")
    return text.split("\\") if "\\" in text else text


def _uid(value: bytes, order: str, codec: str | None) -> Any:
    parts = [part.strip() for part in value.decode("latin-1").rstrip("\0 ").split("\\")]
    return parts if len(parts) > 1 else parts[0]


def _title(value: bytes, order: str, codec: str | None) -> Any:
    parts = [part.strip() for part in value.decode("latin-1").split("\\")]
    return parts if len(parts) > 1 else parts[0]


def _url(value: bytes, order: str, codec: str | None) -> Any:
    return value.decode("latin-1").rstrip()


def _decoded(value: bytes, codec: str | None) -> str:
    if codec is None or b"\x1b" in value:
        raise ValueError("another character set")
    return value.decode(codec)


def _text(value: bytes, order: str, codec: str | None) -> Any:
    text = _decoded(value, codec)
    return [part.rstrip("\0 ") for part in text.split("\\")] if "\\" in text else text.rstrip("\0 ")


def _long_text(value: bytes, order: str, codec: str | None) -> Any:
    return _decoded(value, codec).rstrip("\0 ")


def _name(value: bytes, order: str, codec: str | None) -> Any:
    text = _decoded(value.rstrip(b"\0 "), codec)
    return [name.rstrip("=") for name in text.split("\\")] if "\\" in text else text.rstrip("=")


def _decimal(value: bytes, order: str, codec: str | None) -> Any:
    text = value.decode("latin-1").strip().rstrip(" \0")
    return [float(part) for part in text.split("\\")] if "\\" in text else float(text)


def _integer(value: bytes, order: str, codec: str | None) -> Any:
    text = value.decode("latin-1").rstrip(" \0")
    numbers = [int(part) for part in text.split("\\")]
    if any(abs(number) > _EXACT_FLOAT for number in numbers):
        raise ValueError("an integer string beyond its 32 bits")
    return numbers if len(numbers) > 1 else numbers[0]


def _tags(value: bytes, order: str, codec: str | None) -> Any:
    halves = unpack(f"{order}{_count(value, 4) * 2}H", value)
    tags = [group << 16 | number for group, number in zip(halves[::2], halves[1::2], strict=True)]
    return tags if len(tags) > 1 else tags[0]


def _bytes(value: bytes, order: str, codec: str | None) -> Any:
    return value


def _count(value: bytes, size: int) -> int:
    count, rest = divmod(len(value), size)
    if rest:
        raise ValueError("a length that does not fit")
    return count


def _numbers(letter: str) -> Decoder:
    size = calcsize(f"<{letter}")

    def decode(value: bytes, order: str, codec: str | None) -> Any:
        numbers = unpack(f"{order}{_count(value, size)}{letter}", value)
        return list(numbers) if len(numbers) > 1 else numbers[0]

    return decode


DECODERS: dict[str, Decoder] = {
    **dict.fromkeys(("AS", "CS", "DA", "DT", "TM"), _code),
    **dict.fromkeys(("LO", "SH", "UC"), _text),
    **dict.fromkeys(("LT", "ST", "UT"), _long_text),
    **dict.fromkeys(("OB", "OD", "OF", "OL", "OV", "OW"), _bytes),
    **{
        vr: _numbers(letter)
        for vr, letter in zip(("FD", "FL", "SL", "SS", "SV", "UL", "US", "UV"), "dflhqLHQ", strict=True)
    },
    "AE": _title,
    "AT": _tags,
    "DS": _decimal,
    "IS": _integer,
    "PN": _name,
    "UI": _uid,
    "UR": _url,
}
"""VR → decoder of a value that is not empty. SQ and UN have none: pydicom reads them."""

EMPTY: dict[str, Any] = {
    **dict.fromkeys(DECODERS),
    **dict.fromkeys(["AE", "AS", "CS", "DA", "DT", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"], ""),
}
"""VR → what an empty value is: an empty text, or no number."""
