"""What the archive and the tape system tell each other, as small JSON files: receipts, requests, failures."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from sdfo.errors import Exists, Missing, VolumeError
from sdfo.stores import Store
from sdfo.tiers import tape

_SUFFIX = ".written.json"
_DIGEST = re.compile(r"[0-9a-f]{64}")


_LONGEST = 200


class NotJson(VolumeError):
    """What the tape system left is no JSON, or not all of it yet."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A volume was written to a tape. `sha256`: of what was read back from it; None where nothing was read back."""

    volume: str
    barcode: str
    position: str
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A volume that is to come back: as `in/<volume>.tar`, written under another name and renamed when it is whole."""

    volume: str
    barcode: str
    position: str
    size: int
    sha256: str
    asked: str


def receipts(store: Store) -> Iterator[tuple[str, float]]:
    """The volumes of which a receipt lies there, and when it was written, in seconds since the epoch by the store's clock."""
    for stat in store.list(tape.RECEIPTS):
        volume = tape.volume_of(stat.path, tape.RECEIPTS, _SUFFIX)
        if volume is not None:
            yield volume, stat.modified


def read_receipt(store: Store, volume: str) -> Receipt:
    """`VolumeError` for one that says nothing of this volume; `NotJson` for one that may still be being written."""
    path = tape.receipt(volume)
    found = _parsed(store.read_all(path), path)
    digest = found.get("sha256")
    if found.get("volume") != volume:
        raise VolumeError("a receipt of another volume", path=path, expected=volume, found=found.get("volume"))
    if digest is not None and (not isinstance(digest, str) or not _DIGEST.fullmatch(digest.lower())):
        raise VolumeError("no SHA-256 in a receipt", path=path)
    place = (_told(found.get("barcode")), _told(found.get("position")))
    return Receipt(volume, *place, None if digest is None else digest.lower())


def write_receipt(store: Store, receipt: Receipt) -> None:
    """As a tape system does. One that is there stays."""
    with suppress(Exists):
        store.put(tape.receipt(receipt.volume), _shown(asdict(receipt)))


def ask(store: Store, request: Request) -> bool:
    """Ask for a volume, once; whether nobody had asked. A failure that is told from then on is this request's."""
    with suppress(Missing):
        store.rename(tape.failed(request.volume), _aside(request.volume))
    try:
        store.put(tape.request(request.volume), _shown(asdict(request)))
    except Exists:
        return False
    return True


def requests(store: Store) -> Iterator[tuple[str, float]]:
    """The volumes that were asked for, and when, in seconds since the epoch by the store's clock."""
    for stat in store.list(tape.REQUEST):
        volume = tape.volume_of(stat.path, tape.REQUEST, ".json")
        if volume is not None:
            yield volume, stat.modified


def withdraw(store: Store, volume: str) -> None:
    """It came back, or never will."""
    with suppress(Missing):
        store.delete(tape.request(volume))


def failure(store: Store, volume: str) -> str | None:
    """Why the tape system cannot bring a volume back; None if it does not say so."""
    try:
        found = _parsed(store.read_all(tape.failed(volume)), tape.failed(volume))
    except Missing:
        return None
    except VolumeError as error:
        return error.what
    return _told(found.get("reason")) or "no reason is told"


def note_failure(store: Store, volume: str, reason: str, **facts: Any) -> str:
    """Keep what went wrong for a person; the file's path. No request is answered by it."""
    path = _aside(volume)
    store.put(path, _shown({"volume": volume, "reason": reason} | facts))
    return path


def note_unreadable(store: Store, volume: str, reason: str) -> None:
    """The same, once, of a volume that is looked at again and again."""
    with suppress(Exists):
        store.put(f"{tape.FAILED}/{volume}.unreadable.json", _shown({"volume": volume, "reason": _told(reason)}))


def refuse(store: Store, volume: str, reason: str) -> None:
    """Answer a request in the tape system's place."""
    with suppress(Exists):
        store.put(tape.failed(volume), _shown({"reason": _told(reason)}))


def _aside(volume: str) -> str:
    return f"{tape.FAILED}/{volume}.{secrets.token_hex(4)}.json"


def _parsed(data: bytes, path: str) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise NotJson("not JSON", path=path) from error
    if not isinstance(found, dict):
        raise VolumeError("not a JSON object", path=path)
    return found


def _told(text: object) -> str:
    """Somebody else's words, fit for a line, a terminal and a database."""
    return "".join(c if c.isprintable() else " " for c in str(text or ""))[:_LONGEST].strip()


def _shown(facts: dict[str, Any]) -> bytes:
    return (json.dumps(facts, indent=1) + "\n").encode("ascii")
