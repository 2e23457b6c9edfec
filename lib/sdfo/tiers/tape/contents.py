"""What a volume says of itself: LABEL.json, its first member, and MANIFEST.json, its second. Plain JSON, for a person too."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from sdfo.errors import VolumeError
from sdfo.stores import checked

FORMAT = "sdfo tape volume 1"
LABEL, MANIFEST = "LABEL.json", "MANIFEST.json"
_WIDEST = 10**18  # an offset that no tar reaches: so much room each has in the manifest


@dataclass(frozen=True, slots=True)
class Label:
    """`created` in UTC, ISO 8601; `codec`: how the parts are written; `archive`: the id of the staging area."""

    volume: str
    site: str
    archive: str
    created: str
    codec: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A file on a volume. `path` as on HDFS; `offset` of its first byte in the tar.

    `check`: the copy's own `sdicom.check`, and `part` that of the part; both None for a file that lies apart beside one.
    """

    path: str
    size: int
    sha256: str
    offset: int
    study: str
    check: str | None = None
    part: str | None = None
    form: str = "file"


@dataclass(frozen=True, slots=True)
class Manifest:
    label: Label
    entries: tuple[Entry, ...]

    def entry(self, path: str) -> Entry | None:
        return next((entry for entry in self.entries if entry.path == path), None)

    @property
    def parts(self) -> tuple[Entry, ...]:
        return tuple(entry for entry in self.entries if entry.part is not None)


def encode_label(label: Label) -> bytes:
    return (json.dumps({"format": FORMAT} | asdict(label), indent=1) + "\n").encode("ascii")


def encode(label: Label, entries: Sequence[Entry]) -> bytes:
    """One file a line."""
    head = json.dumps({"format": FORMAT} | asdict(label))[:-1]
    rows = ",\n".join(json.dumps(asdict(entry)) for entry in entries)
    return f'{head}, "files": [\n{rows}\n]}}\n'.encode("ascii")


def room(label: Label, entries: Sequence[Entry]) -> int:
    """Bytes of the manifest, whatever the offsets are: where the members lie depends on it."""
    return len(encode(label, [_at(entry, _WIDEST) for entry in entries]))


def padded(data: bytes, size: int) -> bytes:
    """Blanks at its end, which JSON does not heed."""
    return data[:-1] + b" " * (size - len(data)) + b"\n"


def _at(entry: Entry, offset: int) -> Entry:
    return Entry(**asdict(entry) | {"offset": offset})


def decode(data: bytes, path: str) -> Manifest:
    """`VolumeError` for what is no manifest; `path` is for the error."""
    try:
        found = json.loads(data)
        if found.pop("format") != FORMAT:
            raise VolumeError("a manifest of another version", path=path, expected=FORMAT)
        rows = found.pop("files")
        entries = tuple(_entry(row) for row in rows)
        label = Label(**{field.name: str(found[field.name]) for field in fields(Label)})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise VolumeError("not a manifest", path=path) from error
    return Manifest(label, entries)


def _entry(row: dict[str, Any]) -> Entry:
    """Another program, or a flipped bit, may have written anything."""
    entry = Entry(**row)
    numbers = all(type(number) is int and 0 <= number < _WIDEST for number in (entry.size, entry.offset))
    texts = all(isinstance(text, str) for text in (entry.path, entry.sha256, entry.study, entry.form))
    optional = all(text is None or isinstance(text, str) for text in (entry.check, entry.part))
    if not (numbers and texts and optional):
        raise ValueError("a row of the manifest")
    checked(entry.path)
    return entry
