"""What the index of an S-DICOM file says of each file in it (docs/format.md)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sdfo.model import Form, Frames, Kind

HEAD_LIMIT = 256 * 1024
"""Most bytes of a file before its pixel data's value that go into the heads."""
TAIL_LIMIT = 64 * 1024
"""Most bytes after it."""
WHOLE_LIMIT = 64 * 1024
"""Most bytes of a DICOM file without pixel data that go into the heads, whole."""
LONGEST_FILE = 2**63 - 1
"""Lengths and offsets fit a signed 64-bit number."""
_FILE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")

Layers = tuple[tuple[int, ...], ...]
"""Per frame of layered JPEG 2000, the cumulative length of each layer."""


@dataclass(frozen=True, slots=True)
class Original:
    """The file that a compressed value stands for. `restore` says how its samples were laid out (docs/format.md)."""

    length: int
    sha256: str
    restore: str


@dataclass(frozen=True, slots=True)
class Record:
    """One file. `frames` and `layers` count within the value; `offset` is the value's, from the first record: `plan` fills it in.

    `head` and `tail` are both None where the heads do not hold this file's.
    """

    name: str
    kind: Kind
    reason: str | None
    sop: str | None
    series: str | None
    sop_class: str | None
    transfer_syntax: str | None
    length: int
    form: Form
    sha256: str
    pixels: str | None
    original: Original | None
    head: int | None
    tail: int | None
    frames: Frames | None
    offset: int = 0
    layers: Layers | None = None

    @property
    def head_size(self) -> int | None:
        """Bytes of this file in the heads; None where there are none."""
        return None if self.head is None or self.tail is None else self.head + self.tail


@dataclass(frozen=True, slots=True)
class Apart:
    """A file kept beside the S-DICOM file, as `path` in the same folder. `head` and `tail` are lengths in that file itself."""

    name: str
    path: str
    length: int
    sha256: str
    kind: Kind
    reason: str | None = None
    sop: str | None = None
    series: str | None = None
    sop_class: str | None = None
    transfer_syntax: str | None = None
    pixels: str | None = None
    form: Form = Form.FILE
    original: Original | None = None
    head: int | None = None
    tail: int | None = None
    frames: Frames | None = None
    layers: Layers | None = None


def fault(item: Record | Apart) -> str | None:
    """What is impossible about one row, in words that name no file; None if nothing is."""
    lengths = (item.length, item.head or 0, item.tail or 0)
    frames = item.frames or ()
    if (item.head is None) != (item.tail is None):
        return "head without tail, or tail without head"
    if min(lengths) < 0 or max(lengths) > LONGEST_FILE:
        return "an impossible length"
    if item.form is Form.FILE and item.original is None and sum(lengths[1:]) > item.length:
        return "head and tail are longer than the file"
    if isinstance(item, Record) and (lengths[1] > HEAD_LIMIT or lengths[2] > TAIL_LIMIT):
        return "head or tail above its limit"
    if not all(min(f.offset, f.length) >= 0 and f.end <= item.length for frame in frames for f in frame):
        return "a frame lies outside the value"
    if item.layers is not None and (not frames or len(item.layers) != len(frames)):
        return "layers without their frames"
    if isinstance(item, Apart) and not _FILE_NAME.fullmatch(item.path):
        return "a path that is no file name"
    return None
