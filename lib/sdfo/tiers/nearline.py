"""The near-line tier: a store that shows whose it is (owned.py)."""

from __future__ import annotations

from sdfo.stores import Store
from sdfo.tiers import owned

ID_FILE = ".sdfo-nearline"
"""In the store's root: the id that `init` gave it, and that the archive knows it by."""


def require(store: Store, identity: str) -> Store:
    """The store, if it is the one that was meant. `WrongStore` if not; `Postponed` if it does not answer."""
    return owned.require(store, identity, ID_FILE, "near-line store")


def adopt(store: Store) -> str:
    """Give a new near-line store its id, or keep the one that is there; the id."""
    return owned.adopt(store, ID_FILE)
