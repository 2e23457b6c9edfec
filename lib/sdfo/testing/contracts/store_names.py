"""Paths, `rename`, `delete` and `protect`: what is refused, and what is never replaced."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sdfo.errors import BadPath, Exists, Missing, StoreError
from sdfo.stores import Store
from sdfo.testing.contracts.store_base import StoreUnderTest, fill, listed

BAD = ("", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/..", "a/../b", "./a", "a/.", "a b", " ", "a:b", "a\\b", "%41",
       "ä", "a\u0301", "a\n", "\n", "a\0b", "a*", "~", "x" * 256, "a/" + "x" * 256)  # fmt: skip
GOOD = ("a", "...", "..a", ".hidden", "-", "_", "a.b-c_D9", "x" * 255, "/".join("abcdefghij"))

METHODS: dict[str, Callable[[Store, str], object]] = {
    "create": lambda store, path: store.create(path),
    "put": lambda store, path: store.put(path, b""),
    "open": lambda store, path: store.open(path),
    "read_all": lambda store, path: store.read_all(path),
    "list": lambda store, path: list(store.list(path)),
    "stat": lambda store, path: store.stat(path),
    "delete": lambda store, path: store.delete(path),
    "rename from": lambda store, path: store.rename(path, "new"),
    "rename to": lambda store, path: store.rename("old", path),
    "protect": lambda store, path: store.protect(path),
}


class NameContract(StoreUnderTest):
    @pytest.mark.parametrize("method", METHODS)
    def test_bad_parts_are_refused(self, store: Store, method: str) -> None:
        """By every method, before anything is touched. `list("")` alone means the whole store."""
        fill(store, "old")
        for path in BAD:
            if (method, path) != ("list", ""):
                with pytest.raises(BadPath):
                    METHODS[method](store, path)
        assert listed(store) == ["old"]

    def test_good_parts_are_taken(self, store: Store) -> None:
        """Everything else of [A-Za-z0-9._-], up to 255."""
        fill(store, *(f"{number}/{path}" for number, path in enumerate(GOOD)))
        for number, path in enumerate(GOOD):
            assert store.read_all(f"{number}/{path}") == f"{number}/{path}".encode()

    def test_case_matters(self, store: Store) -> None:
        fill(store, "name", "Name", "NAME")
        assert self.raw_bytes(store, "Name") == b"Name"

    def test_rename(self, store: Store) -> None:
        """Into folders that are not there yet; the old name is gone."""
        fill(store, "attempts/x")
        store.rename("attempts/x", "exams/2024/01/x")
        assert self.raw_bytes(store, "exams/2024/01/x") == b"attempts/x"
        assert listed(store) == ["exams/2024/01/x"]

    def test_rename_repeated(self, store: Store) -> None:
        """Says `Missing` of the old name: the caller reads the new one and decides."""
        fill(store, "old")
        store.rename("old", "new")
        with pytest.raises(Missing) as answer:
            store.rename("old", "new")
        assert answer.value.path == "old"
        assert self.raw_bytes(store, "new") == b"old"

    def test_rename_never_replaces(self, store: Store) -> None:
        """Neither a file nor a folder, nor does it nest in that; a file is not renamed to itself."""
        fill(store, "old", "new", "folder/file")
        for target in ("new", "folder", "folder/file", "old"):
            with pytest.raises(Exists) as refused:
                store.rename("old", target)
            assert refused.value.path == target
        for path in ("old", "new", "folder/file"):
            assert self.raw_bytes(store, path) == path.encode()
        assert listed(store) == ["folder/file", "new", "old"]

    def test_rename_of_what_is_not_there(self, store: Store) -> None:
        """Or of a folder, or below a file: nothing moves."""
        fill(store, "folder/file", "old")
        for source in ("nothing", "folder", "old/below"):
            with pytest.raises(Missing) as answer:
                store.rename(source, "new")
            assert answer.value.path == source
        with pytest.raises(StoreError):
            store.rename("old", "folder/file/below")
        assert listed(store) == ["folder/file", "old"]

    def test_delete(self, store: Store) -> None:
        """That file alone; twice is `Missing`; the name is free again."""
        fill(store, "a/one", "a/two")
        store.delete("a/one")
        with pytest.raises(Missing):
            store.delete("a/one")
        assert listed(store) == ["a/two"]
        fill(store, "a/one")
        assert self.raw_bytes(store, "a/one") == b"a/one"

    def test_protect(self, store: Store) -> None:
        """The folder is there, its owner can work in it, and protecting it again changes nothing."""
        for _ in range(2):
            store.protect("runs/1")
        fill(store, "runs/1/x")
        assert listed(store) == ["runs/1/x"]
