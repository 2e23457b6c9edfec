"""The near-line tier: a store that shows whose it is. An unmounted NAS is an empty folder, and not an empty tier."""

from __future__ import annotations

import secrets
from contextlib import suppress

from sdfo.errors import Exists, Missing, Postponed, Unavailable, WrongStore
from sdfo.stores import Store

ID_FILE = ".sdfo-nearline"
"""In the store's root: the id that `init` gave it, and that the archive knows it by."""


def require(store: Store, identity: str) -> Store:
    """The store, if it is the one that was meant. `WrongStore` if not; `Postponed` if it does not answer."""
    try:
        found = store.read_all(ID_FILE).decode("ascii", "replace").strip()
    except Missing as error:
        raise WrongStore(
            "the near-line store has no id file; is it mounted?", next_command="mount it, then sdfo doctor"
        ) from error
    except Unavailable as error:
        raise Postponed(
            f"the near-line store does not answer: {error.what}", next_command="sdfo doctor, and again later"
        ) from error
    if found != identity:
        raise WrongStore(
            "another near-line store is mounted at its root",
            expected=identity,
            found=found[:64],
            next_command="mount the right one, then sdfo doctor",
        )
    return store


def adopt(store: Store) -> str:
    """Give a new near-line store its id, or keep the one that is there; the id."""
    with suppress(Exists):
        store.put(ID_FILE, secrets.token_hex(16).encode())
    return store.read_all(ID_FILE).decode("ascii", "replace").strip()
