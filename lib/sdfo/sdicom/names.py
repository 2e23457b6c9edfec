"""Names: those in the index, and those of the files that hold it (docs/format.md)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from sdfo.model import is_uid, valid_date

_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_NOT_UTF8 = re.compile("[\udc80-\udcff]")  # how Python's surrogateescape (PEP 383) shows such a byte

_LEAVES = re.compile(r"/\.{0,2}/|\0|%(?!25)[0-7][0-9A-Fa-f]")  # `escape_name` writes of ASCII only %25


def escape_name(raw: bytes) -> str:
    """A file's name as text: itself if it is UTF-8 and holds no `%` before two hex digits.

    Otherwise each `%` becomes `%25` and each byte that is not UTF-8 becomes `%` and its two upper-case hex digits.
    """
    if not _ESCAPE.search(raw):
        try:
            return raw.decode()
        except UnicodeDecodeError:
            pass
    shown = raw.replace(b"%", b"%25").decode("utf-8", "surrogateescape")
    return _NOT_UTF8.sub(lambda found: f"%{ord(found[0]) - 0xDC00:02X}", shown)


def unescape_name(text: str) -> bytes:
    """The raw name that `escape_name` made `text` of. UnicodeEncodeError if `text` holds a lone surrogate."""
    raw = text.encode()
    return _ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode()), raw) if b"%" in raw else raw


def is_below(raw: bytes) -> bool:
    """Whether a raw name stays below its folder: no part empty, `.` or `..`, and no zero byte."""
    return b"\0" not in raw and not any(part in (b"", b".", b"..") for part in raw.split(b"/"))


def may_leave(names: Iterable[str]) -> bool:
    """Whether one of many names as text would not be `is_below`, or is not as `escape_name` writes it: at the speed of C."""
    return _LEAVES.search(f"/{'/'.join(names)}/") is not None


def apart_name(study: str, sha256: str) -> str:
    """The file name, beside the S-DICOM file, of a file too large for a record."""
    return f"{_safe(study)}-{sha256[:16]}.dcm"


def part_name(study: str, date: str | None, check: str) -> str:
    """Where a part belongs in its store. `date` is the smallest valid study date in it, YYYYMMDD."""
    day = valid_date(date)
    folder = f"{day[:4]}/{day[4:6]}" if day else "undated"
    return f"exams/{folder}/{_safe(study)}-{check[:16]}.sdicom"


def _safe(study: str) -> str:
    """A UID as it is (PS3.5 section 9.1); anything else must not touch a path and becomes its digest."""
    return study if is_uid(study) else hashlib.sha256(study.encode("utf-8", "surrogatepass")).hexdigest()
