"""A verified attempt gets the name of its content, where a damaged file may lie at that name: it makes room.

Whoever publishes a new part meets no such file (publish.py); a backup and a restore replace what went bad.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from hashlib import sha256

from sdfo import crashpoints
from sdfo.errors import Exists, FormatError, Missing, OutOfRange
from sdfo.model import PartOutcome
from sdfo.sdicom import Part
from sdfo.stores import Store


def put(store: Store, part: PartOutcome, run: str) -> None:
    """Rename a part and the files beside it. What lies there and is whole and equal stays; anything else goes among the attempts.

    May be repeated after any interruption. `Missing` if neither name has what was verified.
    """
    for old, new in (*part.apart, (part.attempt, part.path)):
        try:
            store.rename(old, new)
        except (Exists, Missing):
            if not is_there(store, part, new):
                store.stat(old)
                set_away(store, new, run)
                crashpoints.passing("put.away")
                store.rename(old, new)
        crashpoints.passing("put.renamed")


def set_away(store: Store, path: str, run: str) -> None:
    """Give a file that is of no more use a name among the run's attempts, which gc removes. One that is gone is no matter."""
    with suppress(Missing):
        store.rename(path, f"attempts/{run}/replaced-{secrets.token_hex(6)}/{path.rpartition('/')[2]}")


def is_there(store: Store, part: PartOutcome, at: str) -> bool:
    """Whether every byte at a name is what it should be; of a file beside a part its name says what that is."""
    try:
        if at == part.path:
            with Part.open(store, at) as there:
                return there.check_digest == part.check and not there.check(deep=True).absent
        digest = sha256()
        with store.open(at) as file:
            for piece in file.stream():
                digest.update(piece)
        return f"-{digest.hexdigest()[:16]}." in at
    except (FormatError, Missing, OutOfRange):
        return False
