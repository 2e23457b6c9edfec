"""What a store under test must give."""

from __future__ import annotations

from abc import ABC, abstractmethod

import pytest

from sdfo.stores import Store


class StoreUnderTest(ABC):
    @pytest.fixture
    @abstractmethod
    def store(self) -> Store:
        """A fresh, empty store."""

    @abstractmethod
    def raw_bytes(self, store: Store, path: str) -> bytes:
        """The file at `path`, read beneath the store's API; FileNotFoundError if there is none."""


def fill(store: Store, *paths: str) -> None:
    """Files whose content is their own path."""
    for path in paths:
        with store.create(path) as sink:
            sink.write(path.encode())


def listed(store: Store, folder: str = "") -> list[str]:
    return [stat.path for stat in store.list(folder)]
