"""A store in a folder of this machine (or of a mount that behaves like one)."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import stat as modes
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from sdfo.errors import Exists, Full, Missing, OutOfRange, StoreError, Unavailable
from sdfo.stores.base import Sink, Source, Stat, Store, checked

_T = TypeVar("_T")

_AT_FDCWD = -100
_RENAME_NOREPLACE = 1  # linux/fs.h; renameat2(2)
_IOV_MAX = 1024  # limits.h: buffers in one writev
_TRIES = 100  # at a name in a folder that others keep emptying and removing
_FULL = (errno.ENOSPC, errno.EDQUOT)
_OTHERS = 0o077  # permission bits of everybody but the owner


class LocalStore(Store):
    """`root` is a folder; it is made by `create`, never by looking."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(os.path.abspath(root))
        self.url = self.root.as_uri()

    def _at(self, path: str) -> Path:
        return self.root / checked(path)

    def create(self, path: str, *, private: bool = False) -> Sink:
        target, flags = self._at(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with _translated(path):
            fd = _in_folder(target.parent, lambda: os.open(target, flags, 0o600 if private else 0o640))
        return _LocalSink(path, fd, target.parent)

    def open(self, path: str) -> Source:
        with _translated(path):
            fd = os.open(self._at(path), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a FIFO must not hold us
            stat = os.fstat(fd)
        if not _is_file(stat):
            os.close(fd)
            raise Missing("not a file", path=path)
        return _LocalSource(path, fd, stat.st_size)

    def list(self, folder: str = "") -> Iterator[Stat]:
        top = self._at(folder) if folder else self.root
        if top.is_dir():
            yield from self._walk(top)

    def _walk(self, folder: Path) -> Iterator[Stat]:
        for entry in _entries(folder, self.root):
            if entry.is_dir(follow_symlinks=False):
                yield from self._walk(Path(entry.path))
            elif entry.is_file(follow_symlinks=False):
                try:
                    stat = entry.stat()
                except FileNotFoundError:
                    continue  # renamed or deleted while we looked
                yield Stat(str(Path(entry.path).relative_to(self.root)), stat.st_size, stat.st_mtime)

    def stat(self, path: str) -> Stat:
        with _translated(path):
            stat = os.stat(self._at(path))
        if not _is_file(stat):
            raise Missing("not a file", path=path)
        return Stat(path, stat.st_size, stat.st_mtime)

    def delete(self, path: str) -> None:
        target = self._at(path)
        with _translated(path):
            os.unlink(target)
            self._left(target.parent)

    def rename(self, old: str, new: str) -> None:
        source, target = self._at(old), self._at(new)
        self.stat(old)  # a folder is not renamed
        with _translated(new, missing=old):
            _in_folder(target.parent, lambda: rename_noreplace(os.fsencode(source), os.fsencode(target)), needed=source)
            sync_folder(target.parent)
            if source.parent != target.parent:
                self._left(source.parent)

    def _left(self, folder: Path) -> None:
        """A name went from `folder`, durably; so does the folder if it was the last: an attempt's is of no more use.

        A protected folder stays: whoever made it again would open it to others.
        """
        with suppress(FileNotFoundError):  # whoever took the last name away took the folder too
            sync_folder(folder)
        if folder != self.root:
            with suppress(OSError):
                if folder.stat().st_mode & _OTHERS:
                    folder.rmdir()

    def protect(self, folder: str) -> None:
        with _translated(folder):
            _make_folders(self._at(folder))
            self._at(folder).chmod(0o700)

    def free(self) -> tuple[int, int]:
        usage = shutil.disk_usage(next(p for p in (self.root, *self.root.parents) if p.exists()))
        return usage.free, usage.total


class _LocalSource(Source):
    def __init__(self, path: str, fd: int, size: int) -> None:
        self.path, self.size, self._fd = path, size, fd

    def read(self, offset: int, length: int) -> bytes:
        if offset < 0 or length < 0 or offset + length > self.size:
            raise OutOfRange(
                "read beyond the end", path=self.path, offset=offset, expected=length, found=self.size - offset
            )
        with _translated(self.path):
            data = os.pread(self._fd, length, offset)
            if len(data) != length:
                data = self._rest(data, offset, length)
        return data

    def _rest(self, data: bytes, offset: int, length: int) -> bytes:
        """A pread gives at most 2 GiB less a page at once (read(2)); less still means that the file was cut."""
        pieces, have = [data], len(data)
        while have < length:
            piece = os.pread(self._fd, length - have, offset + have)
            if not piece:
                raise OutOfRange(
                    "the file was cut while open", path=self.path, offset=offset, expected=length, found=have
                )
            pieces.append(piece)
            have += len(piece)
        return b"".join(pieces)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class _LocalSink(Sink):
    def __init__(self, path: str, fd: int, folder: Path) -> None:
        self.path, self._fd, self._folder, self._failed = path, fd, folder, False

    def write(self, *buffers: bytes | bytearray | memoryview) -> None:
        pending = [memoryview(b).cast("B") for b in buffers if memoryview(b).nbytes]
        with self._or_garbage():
            while pending:
                done = os.writev(self._fd, pending[:_IOV_MAX])
                pending = _after(pending, done)

    def sync(self) -> None:
        with self._or_garbage():
            os.fsync(self._fd)

    def close(self) -> None:
        if self._fd < 0 and not self._failed:
            return
        try:
            self.sync()
            with self._or_garbage():
                sync_folder(self._folder)
        finally:
            self.abandon()

    def abandon(self) -> None:
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            with suppress(OSError):  # nothing was promised, and after close's fsync nothing is left to lose
                os.close(fd)

    @contextmanager
    def _or_garbage(self) -> Iterator[None]:
        """An error in here is the last word on this file."""
        if self._failed:
            raise Unavailable("an earlier write failed: this attempt is garbage", path=self.path)
        try:
            with _translated(self.path):
                yield
        except StoreError:
            self._failed = True
            raise


def _after(pending: list[memoryview], done: int) -> list[memoryview]:
    """What is left of `pending` when its first `done` bytes were written."""
    for number, buffer in enumerate(pending):
        if done < len(buffer):
            return [buffer[done:], *pending[number + 1 :]]
        done -= len(buffer)
    return []


def _entries(folder: Path, root: Path) -> list[os.DirEntry[str]]:
    """What is in `folder`; nothing if it went away while we looked."""
    try:
        with _translated(str(folder.relative_to(root))), os.scandir(folder) as entries:
            # `a.b` sorts before `a/c`: a folder's key carries its slash, so that whole paths come out ascending
            return sorted(entries, key=lambda e: e.name + "/" * e.is_dir(follow_symlinks=False))
    except Missing:
        return []


def _in_folder(folder: Path, act: Callable[[], _T], needed: Path | None = None) -> _T:
    """`act`, with `folder` there: others may remove it, emptied, between the two. It is FileNotFoundError if not even
    `needed` is there, which `act` needs besides.
    """
    for _ in range(_TRIES):
        with suppress(FileNotFoundError):
            _make_folders(folder)
            return act()
        if needed is not None and not os.path.lexists(needed):
            break
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))


def _is_file(stat: os.stat_result) -> bool:
    return modes.S_ISREG(stat.st_mode)


@contextmanager
def _translated(path: str, missing: str | None = None) -> Iterator[None]:
    """The operating system's errors as ours. Its own text may hold an absolute path; ours holds the store's.

    `missing` is the path to name where it is another one that is not there.
    """
    try:
        yield
    except FileExistsError as error:
        raise Exists("already there", path=path) from error
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Missing("not there", path=missing or path) from error
    except IsADirectoryError as error:
        raise Missing("not a file", path=path) from error
    except PermissionError as error:
        raise StoreError("permission denied", path=path) from error
    except OSError as error:
        if error.errno in _FULL:
            raise Full("the disk is full, or a quota used up", path=path, next_command="df, and sdfo gc") from error
        raise Unavailable(os.strerror(error.errno or 0), path=path) from error


def _make_folders(folder: Path) -> None:
    """`mkdir -p`, each new name durable."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for new in reversed(missing):
        try:
            new.mkdir(mode=0o750)
        except FileExistsError:  # somebody made it first, and may have taken it away since
            if new.is_file():
                raise
        sync_folder(new.parent)


def sync_folder(folder: str | bytes | os.PathLike[str]) -> None:
    """Make the names in a folder survive a power cut (fsync(2) on the directory)."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def rename_noreplace(source: bytes, target: bytes, at: tuple[int, int] = (_AT_FDCWD, _AT_FDCWD)) -> None:
    """rename(2) replaces a file that is there; renameat2(2) with RENAME_NOREPLACE refuses. Python has no name for it.

    `at`: descriptors of the folders that the names count from.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(at[0], source, at[1], target, _RENAME_NOREPLACE) == 0:
        return
    code = ctypes.get_errno()
    if code not in (errno.EINVAL, errno.ENOSYS):
        raise OSError(code, os.strerror(code))
    # a file system without the flag (NFS): a link refuses too, and the old name goes after
    folders = [None if fd == _AT_FDCWD else fd for fd in at]
    os.link(source, target, src_dir_fd=folders[0], dst_dir_fd=folders[1], follow_symlinks=False)
    os.unlink(source, dir_fd=folders[0])
