"""The state journal: what S-DICOM files cannot know, written beside them by the step that learns it.

    state/<yyyy-mm-dd>/<hhmmss>.<microseconds>-<token>.jsonl      one JSON object a line, ASCII

A catalog that is lost is built again from the S-DICOM files and from these. Each file is put, durable, *before* the
transaction that it belongs to is committed: what the catalog ever showed stands in the journal. A line whose transaction
died after it is harmless, because the step is repeated and replaying a line twice changes nothing.

Names of SAN files stand here, as they do in the S-DICOM files next door.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from sdfo.errors import CatalogError, Exists
from sdfo.stores import Store

FOLDER = "state"
VERSION = 1
_TRIES = 100

Line = dict[str, Any]
"""`what` says which: part, alias, quarantine, decision, copy, queue, volume, recall, hold, release, freed, gone or outcome."""


def append(store: Store, at: datetime, token: int, lines: Sequence[Line]) -> str:
    """Put `lines` as one new file, in order after all that was put before `at`; its path."""
    data = "".join(json.dumps({"v": VERSION} | line, separators=(",", ":")) + "\n" for line in lines).encode("ascii")
    for _ in range(_TRIES):
        path = f"{_stem(at)}-{token}.jsonl"
        try:
            store.put(path, data)
        except Exists:
            at += timedelta(microseconds=1)
        else:
            return path
    raise CatalogError("the state journal takes no new file", path=path, found=f"{_TRIES} names taken")


def read(store: Store, since: datetime | None = None) -> Iterator[tuple[str, Line]]:
    """Every line with the path of its file, oldest first; only those put after `since`, if given. Attempts that a kill left
    behind are passed over."""
    after = "" if since is None else _stem(since)
    for stat in store.list(FOLDER):
        if stat.path.endswith(".jsonl") and (not after or stat.path[: len(after)] > after):
            for text in store.read_all(stat.path).splitlines():
                yield stat.path, _parsed(stat.path, text)


def _stem(at: datetime) -> str:
    return f"{FOLDER}/{at:%Y-%m-%d}/{at:%H%M%S.%f}"


def _parsed(path: str, text: bytes) -> Line:
    try:
        line = json.loads(text)
    except ValueError as error:
        raise CatalogError("a line of the state journal is not JSON", path=path) from error
    if not isinstance(line, dict) or line.get("v") != VERSION:
        raise CatalogError("a line of the state journal is of another version", path=path, expected=VERSION)
    return line


def as_text(name: bytes) -> str:
    """Any bytes as text that JSON can hold: what is not UTF-8 becomes lone surrogates (PEP 383), which `as_name` undoes."""
    return name.decode("utf-8", "surrogateescape")


def as_name(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def stamped(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
