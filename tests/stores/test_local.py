"""The local store keeps the contract, and what a folder of this machine promises besides."""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sdfo.errors import Exists, Missing, OutOfRange, Unavailable
from sdfo.stores import Store, open_store
from sdfo.stores.local import LocalStore
from sdfo.testing.contracts.store import StoreContract
from sdfo.testing.unprivileged import unprivileged


class TestLocalStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> LocalStore:
        return LocalStore(tmp_path / "store")

    def raw_bytes(self, store: Store, path: str) -> bytes:
        assert isinstance(store, LocalStore)
        return (store.root / path).read_bytes()


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


# ---- durability


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What was given to fsync(2), in order, relative to the test's folder. The real call is made."""
    found, fsync = [], os.fsync

    def spy(fd: int) -> None:
        found.append(os.path.relpath(os.readlink(f"/proc/self/fd/{fd}"), tmp_path))
        fsync(fd)

    monkeypatch.setattr(os, "fsync", spy)
    return found


def test_close_makes_file_and_name_durable(store: LocalStore, synced: list[str]) -> None:
    """Each new folder's name, then the bytes, then the file's name."""
    sink = store.create("a/b/file")
    assert synced == [".", "store", "store/a"]
    sink.write(b"data")
    assert synced == [".", "store", "store/a"]
    sink.close()
    assert synced[3:] == ["store/a/b/file", "store/a/b"]


def test_sync_makes_the_bytes_durable(store: LocalStore, synced: list[str]) -> None:
    sink = store.create("file")
    synced.clear()
    sink.write(b"data")
    sink.sync()
    assert synced == ["store/file"]


def test_abandon_promises_nothing(store: LocalStore, synced: list[str]) -> None:
    """And therefore waits for no disk; nor does a `with` block that ends by an exception."""
    sink = store.create("file")
    synced.clear()
    sink.abandon()
    assert synced == []
    with pytest.raises(ZeroDivisionError), store.create("other"):
        raise ZeroDivisionError
    assert synced == []


def test_rename_makes_both_names_durable(store: LocalStore, synced: list[str]) -> None:
    """The new one first: a power cut between them leaves two names, not none."""
    store.put("old/file", b"data")
    synced.clear()
    store.rename("old/file", "new/file")
    assert synced == ["store", "store/new", "store/old"]


def test_delete_is_durable(store: LocalStore, synced: list[str]) -> None:
    store.put("a/file", b"data")
    synced.clear()
    store.delete("a/file")
    assert synced == ["store/a"]


# ---- errors of the disk


@pytest.fixture
def small_disk() -> Iterator[int]:
    """No file may grow beyond 1 MiB: write(2) gives what fits, then EFBIG, as ENOSPC on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    yield 1 << 20
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_unavailable(store: LocalStore, small_disk: int) -> None:
    """The write that did not fit says so, with the store's path and no other."""
    with pytest.raises(Unavailable) as answer, store.create("a/file") as sink:
        sink.write(bytes(small_disk - 10), bytes(20))
    assert answer.value.path == "a/file"
    assert str(store.root) not in str(answer.value)


def test_a_failed_write_is_final(store: LocalStore, small_disk: int) -> None:
    """A later write that would fit, a sync and a close raise too: the file has a gap at its end that none of them sees."""
    sink = store.create("file")
    sink.write(bytes(small_disk - 10))
    with pytest.raises(Unavailable):
        sink.write(bytes(20))
    for call in (lambda: sink.write(b""), sink.sync, sink.close, sink.close):
        with pytest.raises(Unavailable, match="earlier"):
            call()


def test_a_full_disk_and_wide_items(store: LocalStore, small_disk: int) -> None:
    """A view is counted in bytes, not in items: what did not fit is missed."""
    with pytest.raises(Unavailable), store.create("file") as sink:
        sink.write(memoryview(bytes(small_disk + 8)).cast("Q"))


def test_writes_that_take_less(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """writev(2) may take any part of what it is given: the rest follows, in order."""
    writev = os.writev
    monkeypatch.setattr(os, "writev", lambda fd, buffers: writev(fd, [buffers[0][:7]]))
    buffers = [bytes([n]) * n for n in range(30)]
    with store.create("file") as sink:
        sink.write(*buffers)
    assert store.read_all("file") == b"".join(buffers)


def test_a_failed_sync_is_final(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux reports a lost write to one fsync(2) only; the next one succeeds and must not be believed."""
    sink = store.create("file")
    fsync, failures = os.fsync, [OSError(errno.EIO, "lost")]

    def once(fd: int) -> None:
        if failures:
            raise failures.pop()
        fsync(fd)

    monkeypatch.setattr(os, "fsync", once)
    sink.write(b"data")
    with pytest.raises(Unavailable):
        sink.sync()
    with pytest.raises(Unavailable):
        sink.close()


def test_put_on_a_full_disk(store: LocalStore, small_disk: int) -> None:
    """Nothing under the name, and nothing beside it: the disk is full enough."""
    with pytest.raises(Unavailable):
        store.put("file", bytes(small_disk + 1))
    assert list(store.list()) == []


def test_a_file_that_was_cut(store: LocalStore) -> None:
    """Its opener is told, and given no short read."""
    store.put("file", b"0123456789")
    with store.open("file") as source:
        os.truncate(store.root / "file", 5)
        with pytest.raises(OutOfRange):
            source.read(0, 10)


def test_permission_denied(store: LocalStore) -> None:
    """Is an error of its own, not `Unavailable`: a new attempt would not succeed either."""
    store.put("file", b"data")
    os.chmod(store.root / "file", 0)
    program = (
        "import sys; from sdfo.errors import StoreError; from sdfo.stores.local import LocalStore\n"
        "try: LocalStore(sys.argv[1]).open('file')\n"
        "except StoreError as error: print(type(error).__name__, error)"
    )
    command = unprivileged([sys.executable, "-c", program, str(store.root)])
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said == "StoreError file: permission denied\n"


# ---- what else may lie in the folder


def test_what_is_no_regular_file(store: LocalStore, tmp_path: Path) -> None:
    """Links and FIFOs are not listed, and a FIFO does not hold its opener."""
    store.put("file", b"data")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(b"secret")
    os.symlink(tmp_path / "outside", store.root / "folder")
    os.symlink(tmp_path / "outside" / "secret", store.root / "link")
    os.mkfifo(store.root / "fifo")
    assert [stat.path for stat in store.list()] == ["file"]
    for ask in (store.open, store.stat):
        with pytest.raises(Missing):
            ask("fifo")


def test_a_folder_that_goes_while_listed(store: LocalStore) -> None:
    """As when another process clears up: the listing goes on without it."""
    for path in ("a/1", "b/1", "b/c/1", "d/1"):
        store.put(path, b"")
    listing = store.list()
    first = next(listing).path
    shutil.rmtree(store.root / "b")
    assert [first, *(stat.path for stat in listing)] == ["a/1", "d/1"]


def test_a_rename_does_not_follow_or_replace_a_link(store: LocalStore, tmp_path: Path) -> None:
    """A dangling link takes its name as a file would."""
    store.put("file", b"data")
    os.symlink(tmp_path / "nowhere", store.root / "link")
    with pytest.raises(Exists):
        store.rename("file", "link")
    with pytest.raises(Exists):
        store.create("link")
    assert not (tmp_path / "nowhere").exists()


def test_rename_where_the_file_system_has_no_flag_for_it(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """NFS answers EINVAL to RENAME_NOREPLACE: a link and an unlink keep the same promises."""

    class Libc:
        @staticmethod
        def renameat2(*_: object) -> int:
            ctypes.set_errno(errno.EINVAL)
            return -1

    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: Libc)
    store.put("taken", b"taken")
    with store.create("old") as sink:
        sink.write(b"old")
    with pytest.raises(Exists):
        store.rename("old", "taken")
    store.rename("old", "new")
    assert {stat.path: store.read_all(stat.path) for stat in store.list()} == {"new": b"old", "taken": b"taken"}


# ---- the folder itself


def test_looking_makes_nothing(store: LocalStore) -> None:
    """The root is made by `create` alone."""
    list(store.list())
    store.free()
    with pytest.raises(Missing):
        store.stat("file")
    assert not store.root.exists()


def test_who_may_read(store: LocalStore) -> None:
    """Nothing is for everybody; private files and protected folders are for their owner alone."""
    old = os.umask(0)
    try:
        store.put("a/private", b"")
        store.create("a/file").close()
        store.protect("runs/1")
    finally:
        os.umask(old)
    modes = {name: (store.root / name).stat().st_mode & 0o777 for name in ("a", "a/private", "a/file", "runs/1")}
    assert modes == {"a": 0o750, "a/private": 0o600, "a/file": 0o640, "runs/1": 0o700}


def test_a_protected_folder_stays_so(store: LocalStore) -> None:
    """An emptied folder goes, but not a protected one: the next file would make it again for the whole group."""
    store.protect("runs")
    for path in ("runs/x", "open/x"):
        store.put(path, b"")
        store.delete(path)
    assert (store.root / "runs").stat().st_mode & 0o777 == 0o700
    assert not (store.root / "open").exists()


@pytest.mark.parametrize("name", [b"plain", b"with space", "Ünï".encode(), b"100%41", b"a#b?c", b"not\xe9utf8"])
def test_its_url_leads_back(tmp_path: Path, name: bytes) -> None:
    """Whatever the folder is called: a store's URL opens the same folder."""
    store = LocalStore(os.path.join(tmp_path, os.fsdecode(name)))
    store.put("file", name)
    again = open_store(store.url)
    assert isinstance(again, LocalStore)
    assert again.root == store.root
    assert again.read_all("file") == name


def test_a_relative_root_does_not_move(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts from where the store was made."""
    monkeypatch.chdir(tmp_path)
    store = LocalStore("store")
    monkeypatch.chdir("/")
    store.put("file", b"data")
    assert (tmp_path / "store" / "file").read_bytes() == b"data"


@pytest.mark.skipif(shutil.which("fincore") is None, reason="util-linux tells what the page cache holds")
def test_what_is_forgotten_is_read_from_the_disk(tmp_path: Path) -> None:
    """The page cache holds a written file, and none of it once it is forgotten."""
    store = LocalStore(tmp_path)
    with store.create("a") as sink:
        sink.write(b"x" * 100_000)

    def kept() -> int:
        told = subprocess.run(
            ["fincore", "-nb", "-o", "RES", tmp_path / "a"], capture_output=True, check=True, text=True
        )
        return int(told.stdout)

    before = kept()
    with store.open("a") as source:
        source.forget()
        after = kept()
        if before and after == before:
            pytest.skip("a file system in memory keeps all")
        assert (before > 0, after) == (True, 0)
        assert source.read(99_999, 1) == b"x"
