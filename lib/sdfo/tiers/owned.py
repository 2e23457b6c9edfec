"""A store that shows whose it is. An unmounted NAS is an empty folder, and not an empty tier."""

from __future__ import annotations

import secrets
from contextlib import suppress

from sdfo.errors import Exists, Missing, Postponed, Unavailable, WrongStore
from sdfo.stores import Store


def require(store: Store, identity: str, id_file: str, what: str) -> Store:
    """The store, if it is the one that was meant. `WrongStore` if not; `Postponed` if it does not answer.

    `what`: its name in the error, "near-line store".
    """
    try:
        found = store.read_all(id_file).decode("ascii", "replace").strip()
    except Missing as error:
        raise WrongStore(
            f"the {what} has no id file; is it mounted?", next_command="mount it, then sdfo doctor"
        ) from error
    except Unavailable as error:
        raise Postponed(f"the {what} does not answer: {error.what}", next_command="sdfo doctor, and again later") from (
            error
        )
    if found != identity:
        raise WrongStore(
            f"another {what} is mounted at its root",
            expected=identity,
            found=found[:64],
            next_command="mount the right one, then sdfo doctor",
        )
    return store


def adopt(store: Store, id_file: str) -> str:
    """Give a new store its id, or keep the one that is there; the id."""
    with suppress(Exists):
        store.put(id_file, secrets.token_hex(16).encode())
    return store.read_all(id_file).decode("ascii", "replace").strip()
