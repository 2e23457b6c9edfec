"""The tape tier: a staging area of plain folders that any tape system can serve, and the volumes that pass through it.

open/       what the next volume will hold: a list, nothing is copied
sealed/     volumes that were written and read again; ready/ those for the tape system: `<volume>.ready` comes last
receipts/   the tape system's `<volume>.written.json`; request/ ours for volumes that are to come back
in/         volumes that came back, each with a `<volume>.proven` once it was read; failed/ what did not work, and why
retired/    volumes that are on tape and still here, until room is needed; manifests/ of all volumes there ever were
"""

from __future__ import annotations

import re

OPEN, SEALED, READY, RECEIPTS = "open", "sealed", "ready", "receipts"
REQUEST, IN, FAILED, RETIRED = "request", "in", "failed", "retired"
MANIFESTS, ATTEMPTS = "manifests", "attempts"

FOLDERS = (OPEN, SEALED, READY, RECEIPTS, REQUEST, IN, FAILED, RETIRED, MANIFESTS)
KEEP = ".keep"
"""In each of them: a folder that is empty for a moment stays, for the tape system looks into it."""

ID_FILE = ".sdfo-tape"
"""In the root: the id that `init` gave it, and that the archive knows it by."""


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


def volume_of(path: str, folder: str, suffix: str) -> str | None:
    """The volume that a file is of by its name; None for any other file. Names in these folders come from outside, and only
    what may stand in a store's path becomes one."""
    name = path.removeprefix(f"{folder}/")
    volume = name.removesuffix(suffix)
    return volume if volume != name and _NAME.fullmatch(volume) else None


def tar(folder: str, volume: str) -> str:
    return f"{folder}/{volume}.tar"


def digest(folder: str, volume: str) -> str:
    """The file beside a volume that `sha256sum --check` reads."""
    return f"{folder}/{volume}.sha256"


def ready(volume: str) -> str:
    return f"{READY}/{volume}.ready"


def proven(volume: str) -> str:
    return f"{IN}/{volume}.proven"


def receipt(volume: str) -> str:
    return f"{RECEIPTS}/{volume}.written.json"


def request(volume: str) -> str:
    return f"{REQUEST}/{volume}.json"


def failed(volume: str) -> str:
    """The tape system's answer to a request that it cannot serve: `{"reason": …}`."""
    return f"{FAILED}/{volume}.json"


def manifest(volume: str) -> str:
    return f"{MANIFESTS}/{volume}.json"
