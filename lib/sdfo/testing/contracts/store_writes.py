"""Sinks and `put`: front to back, entirely, never over an existing file, and no promise without a close."""

from __future__ import annotations

import pytest

from sdfo.errors import Exists, Full, Missing, StoreError, Unavailable
from sdfo.stores import CHUNK, Sink, Store
from sdfo.testing.contracts.store_base import StoreUnderTest, fill, listed


def _full(path: str, *, private: bool = False) -> Sink:
    raise Full("no room", path=path)


class WriteContract(StoreUnderTest):
    def test_what_was_written_lies_there(self, store: Store) -> None:
        """Also when peeked at beneath the API."""
        with store.create("a/b/c.bin") as sink:
            sink.write(b"one", bytearray(b"two"))
            sink.write(memoryview(b"three"))
        assert self.raw_bytes(store, "a/b/c.bin") == store.read_all("a/b/c.bin") == b"onetwothree"

    def test_an_empty_file(self, store: Store) -> None:
        """No write at all is a file of no bytes."""
        store.create("empty").close()
        assert self.raw_bytes(store, "empty") == store.read_all("empty") == b""

    def test_create_never_over_a_file(self, store: Store) -> None:
        """The first file is untouched."""
        fill(store, "a/file")
        with pytest.raises(Exists) as refused:
            store.create("a/file")
        assert refused.value.path == "a/file"
        assert self.raw_bytes(store, "a/file") == b"a/file"

    def test_create_never_over_an_open_file(self, store: Store) -> None:
        """A name is taken from the moment it is created."""
        with store.create("file") as sink:
            with pytest.raises(Exists):
                store.create("file")
            sink.write(b"first")
        assert self.raw_bytes(store, "file") == b"first"

    def test_create_never_over_a_folder(self, store: Store) -> None:
        """Nor below a file."""
        fill(store, "a/file")
        with pytest.raises(Exists):
            store.create("a")
        with pytest.raises(StoreError):
            store.create("a/file/below")
        assert listed(store) == ["a/file"]

    def test_many_buffers_at_once(self, store: Store) -> None:
        """More than a system call takes (IOV_MAX is 1,024), empty ones among them, of all types."""
        kinds = (bytes, bytearray, memoryview, lambda _: b"")
        buffers = [kinds[n % 4](n.to_bytes(4, "big")) for n in range(5000)]
        with store.create("many") as sink:
            sink.write(*buffers)
            sink.write()
            sink.write(b"", b"")
        assert self.raw_bytes(store, "many") == b"".join(buffers)

    def test_a_view_of_wider_items(self, store: Store) -> None:
        """All bytes of a view are written, whatever its items' size and shape."""
        wide = memoryview(bytes(range(240)) * 5)
        with store.create("wide") as sink:
            sink.write(wide.cast("Q"), wide.cast("B", (30, 40)), wide.cast("H"))
        assert self.raw_bytes(store, "wide") == bytes(wide) * 3

    def test_longer_than_a_chunk(self, store: Store) -> None:
        """One write of more than a chunk, and many of less."""
        data = bytes(range(251)) * (2 * CHUNK // 251 + 1)
        with store.create("long") as sink:
            sink.write(data)
            sink.write(*(data[at : at + 70_001] for at in range(0, len(data), 70_001)))
        assert self.raw_bytes(store, "long") == data * 2

    def test_sync_in_between(self, store: Store) -> None:
        """A sync does not end the file."""
        with store.create("file") as sink:
            sink.write(b"one")
            sink.sync()
            sink.write(b"two")
        assert self.raw_bytes(store, "file") == b"onetwo"

    def test_nothing_after_close(self, store: Store) -> None:
        """Closing twice is allowed; writing and syncing are not, and change nothing."""
        sink = store.create("file")
        sink.write(b"all")
        sink.close()
        sink.close()
        with pytest.raises(StoreError):
            sink.write(b"more")
        with pytest.raises(StoreError):
            sink.sync()
        assert self.raw_bytes(store, "file") == b"all"

    def test_abandon_gives_up(self, store: Store) -> None:
        """The handle is closed, the name may stay taken, and nothing more can be written."""
        sink = store.create("attempt")
        sink.write(b"half")
        sink.abandon()
        sink.abandon()
        with pytest.raises(StoreError):
            sink.write(b"more")
        assert listed(store) in ([], ["attempt"])

    def test_an_exception_abandons(self, store: Store) -> None:
        """It comes out of the `with` block as it was, and the file can be deleted as garbage."""
        with pytest.raises(ZeroDivisionError), store.create("attempt") as sink:
            sink.write(b"half")
            raise ZeroDivisionError
        with pytest.raises(StoreError):
            sink.write(b"more")
        for path in listed(store):
            store.delete(path)
        assert listed(store) == []

    def test_a_private_file_is_a_file(self, store: Store) -> None:
        with store.create("private", private=True) as sink:
            sink.write(b"secret")
        assert store.read_all("private") == b"secret"

    def test_put(self, store: Store) -> None:
        """Whole under its name, nothing else beside it."""
        store.put("a/small", b"data")
        assert self.raw_bytes(store, "a/small") == b"data"
        assert listed(store) == ["a/small"]

    def test_put_never_over_a_file(self, store: Store) -> None:
        """And leaves no attempt behind."""
        fill(store, "a/small")
        with pytest.raises(Exists):
            store.put("a/small", b"data")
        assert self.raw_bytes(store, "a/small") == b"a/small"
        assert listed(store) == ["a/small"]

    def test_replace(self, store: Store) -> None:
        """A file that is there, and one that is not; nothing else beside it."""
        for data in (b"first", b"second"):
            store.replace("a/small", data)
            assert self.raw_bytes(store, "a/small") == data
        assert listed(store) == ["a/small"]

    def test_replace_that_cannot_write(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        """The old file stays."""
        store.put("small", b"old")
        monkeypatch.setattr(store, "create", _full)
        with pytest.raises(Full):
            store.replace("small", b"new")
        assert store.read_all("small") == b"old"
        assert listed(store) == ["small"]

    def test_put_that_does_not_come_through(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where the last step's outcome is unknown, nothing is visible under the name, and the error is that one."""

        def lost(old: str, new: str) -> None:
            raise Unavailable("no answer", path=new)

        monkeypatch.setattr(store, "rename", lost)
        with pytest.raises(Unavailable):
            store.put("small", b"data")
        with pytest.raises(Missing):
            store.stat("small")

    def test_put_whose_answer_is_lost(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        """The file is there, and the error is still that the outcome is unknown."""
        rename = store.rename

        def lost(old: str, new: str) -> None:
            rename(old, new)
            raise Unavailable("no answer", path=new)

        monkeypatch.setattr(store, "rename", lost)
        with pytest.raises(Unavailable):
            store.put("small", b"data")
        assert store.read_all("small") == b"data"
