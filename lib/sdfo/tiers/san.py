"""The SAN: exam folders with whatever names and files the modalities put there, read and never trusted.

Names are raw bytes. No symbolic link is followed, in any part of a path: each part is opened relative to the folder
before it. No error carries a name, nor has one as its cause that does: a traceback is a log too.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat as modes
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

from sdfo.errors import Changed, OutOfRange, SanError, Unreadable, Vanished, WrongSan
from sdfo.model import FileStamp
from sdfo.stores import CHUNK
from sdfo.tiers.listing import CLOSED, FOLDER, Listing, list_folder, stamp_of

__all__ = ["ID_FILE", "OWN", "Listing", "San", "SanFile", "stamp_of"]

ID_FILE = b".sdfo-san"
INCOMING = b".sdfo-incoming"
EXPIRED = b".sdfo-expired"
"""Where removed files lie for their days of grace (aside.py)."""
OWN = (ID_FILE, INCOMING, EXPIRED)
"""What the archive itself keeps at the SAN's root; no exam."""

_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # NONBLOCK: a FIFO must not hold the night
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.ESTALE)
"""What open(2) says of a regular file that is one no more: gone, or a link, a socket, a file where a folder was."""
_ID_MOST = 128  # bytes of an id


class San:
    """`root` as settings give it. `exam_depth`: an exam folder is a directory that many levels below it."""

    def __init__(self, root: str, exam_depth: int = 1) -> None:
        self.root, self.exam_depth = os.fsencode(root), exam_depth

    def identity(self) -> str:
        """The id that `init` gave this SAN; `WrongSan` if there is none, as below an empty mount point."""
        found = ""
        with suppress(SanError, OutOfRange, UnicodeDecodeError), self._open(ID_FILE) as file:
            found = file.read(0, min(file.size, _ID_MOST)).decode("ascii").strip()
        if not found:
            raise WrongSan("the SAN's root has no id file; is it mounted?", next_command="sdfo init (once)")
        return found

    def require(self, identity: str) -> None:
        """`WrongSan` unless this is the SAN that was meant."""
        found = self.identity()
        if found != identity:
            raise WrongSan("another SAN is mounted at its root", expected=identity, found=found)

    def adopt(self, identity: str | None = None) -> str:
        """Give a new SAN its id, or keep the one that is there; the id. `SanError` if that cannot be done."""
        with suppress(WrongSan):
            return self.identity()
        with _failing_as("the SAN's root cannot be given its id"):
            os.makedirs(self.root, mode=0o750, exist_ok=True)
            self._place((), ID_FILE, f"{identity or secrets.token_hex(16)}\n".encode(), 0o444)
        return self.identity()

    def exams(self) -> tuple[tuple[bytes, ...], tuple[bytes, ...], tuple[bytes, ...]]:
        """Paths, ascending: the exam folders; what lies above exam depth and is no folder; folders there that are closed.

        `Unreadable` if the root itself cannot be listed.
        """
        folders, strays, closed = [b""], list[bytes](), list[bytes]()
        for _ in range(self.exam_depth):
            inside = [found for folder in folders for found in self._inside(folder, closed)]
            folders = [path for path, is_folder in inside if is_folder]
            strays += [path for path, is_folder in inside if not is_folder]
        if b"" in closed:
            raise Unreadable("the SAN's root cannot be listed")
        return tuple(sorted(folders)), tuple(sorted(strays)), tuple(sorted(closed))

    def _inside(self, folder: bytes, closed: list[bytes]) -> list[tuple[bytes, bool]]:
        """The paths of what is in a folder above exam depth, and whether each is a folder. Adds to `closed` if it is."""
        try:
            fd = self._open_folder(*filter(None, folder.split(b"/")))
            try:
                with os.scandir(fd) as entries:
                    found = [(os.fsencode(e.name), e.is_dir(follow_symlinks=False)) for e in entries]
            finally:
                os.close(fd)
        except OSError as error:
            if not folder or not isinstance(error, FileNotFoundError):  # else renamed or removed while we looked
                closed.append(folder)
            return []
        return [(os.path.join(folder, name), is_folder) for name, is_folder in found if folder or name not in OWN]

    def list(self, folder: bytes) -> Listing:
        """Everything below `folder`, at any depth. `Vanished` if it is gone; `WrongSan` if the SAN is."""
        parts = parts_of(folder)
        try:
            fd = self._open_folder(*parts)
        except FileNotFoundError:
            self.identity()
            raise Vanished("an exam folder is gone") from None
        except OSError:
            return CLOSED
        return list_folder(fd, os.path.realpath(self.root), folder)

    def unchanged(self, folder: bytes, folders: tuple[tuple[bytes, int], ...]) -> bool:
        """Whether every folder of an earlier listing still has its mtime: no name was added or removed since."""
        try:
            return bool(folders) and all(
                os.stat(os.path.join(self.root, folder, name), follow_symlinks=False).st_mtime_ns == mtime
                for name, mtime in folders
            )
        except (OSError, ValueError):
            return False

    def open(self, folder: bytes, name: bytes) -> SanFile:
        """A file that was listed; the caller closes it. `Vanished` if there is no such file any more, or `Unreadable`."""
        return self._open(*parts_of(folder), *parts_of(name), name=name)

    def _open(self, *path: bytes, name: bytes = b"") -> SanFile:
        *parents, base = path
        with told("a file cannot be opened"):
            at = self._open_folder(*parents)
            try:
                return open_file(name, base, at)
            finally:
                os.close(at)

    def place(self, folder: bytes, name: bytes, data: bytes) -> bool:
        """Write a new file, durable and whole before its name appears. False if the name is taken; never replaces.

        `SanError` if it cannot be written; nothing is there then. `WrongSan` if the SAN is not mounted.
        """
        self.identity()
        parts = parts_of(folder)
        if len(parts) != self.exam_depth or parts[0] in OWN or len(parts_of(name)) != 1:
            raise SanError("only an exam folder takes files")
        with _failing_as("a file cannot be placed"):
            return self._place(parts, name, data, 0o640)

    def _place(self, parts: tuple[bytes, ...], name: bytes, data: bytes, mode: int) -> bool:
        incoming = self._open_folder(INCOMING, make=True)
        try:
            target = self._open_folder(*parts, make=True)
            try:
                return _place(incoming, target, name, data, mode)
            finally:
                os.close(target)
        finally:
            os.close(incoming)

    def _open_folder(self, *parts: bytes, make: bool = False) -> int:
        """The folder's descriptor. With `make`, folders that are not there are made, and every name on the way is durable."""
        return open_folder(self.open_root(), *parts, make=make)

    def open_root(self) -> int:
        return os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


class SanFile:
    """An open file of the SAN: positioned reads that fail as `Unreadable`. `fd` is its own from the first moment."""

    def __init__(self, name: bytes, fd: int) -> None:
        self.name, self._fd = name, fd
        try:
            self.size = self.stamp().size
        except SanError:
            self.close()
            raise

    def stamp(self) -> FileStamp:
        """What the file looks like now."""
        with told("a file cannot be looked at"):
            stat = os.fstat(self._fd)
        if not modes.S_ISREG(stat.st_mode):
            raise Vanished("a listed file is no regular file any more")
        return stamp_of(self.name, stat)

    def inode(self) -> int:
        with told("a file cannot be looked at"):
            return os.fstat(self._fd).st_ino

    def require(self, expected: FileStamp) -> None:
        """`Changed` unless this still is the file that a listing showed."""
        found = self.stamp()
        if found != expected or self.size != expected.size:
            raise Changed("a file changed since it was listed", expected=expected.size, found=found.size)

    def read(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes, else `OutOfRange`: beyond the size that the file had when opened, or it was cut."""
        data = b""
        if offset >= 0 and 0 <= length <= self.size - offset:
            with told("a file cannot be read"):
                data = os.pread(self._fd, length, offset)
                while len(data) < length and (more := os.pread(self._fd, length - len(data), offset + len(data))):
                    data += more  # at most 2 GiB less a page come at once (read(2))
        if len(data) != length:
            raise OutOfRange("a file ends early", offset=offset, expected=length, found=len(data))
        return data

    def stream(self, chunk: int = CHUNK) -> Iterator[bytes]:
        """The whole file in pieces of at most `chunk` bytes."""
        for at in range(0, self.size, chunk):
            yield self.read(at, min(chunk, self.size - at))

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_folder(fd: int, *parts: bytes, make: bool = False) -> int:
    """A folder below the open folder `fd`, which is closed; as `San` opens them."""
    for part in parts:
        try:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(part, 0o750, dir_fd=fd)
                os.fsync(fd)
            inner = os.open(part, FOLDER, dir_fd=fd)
        finally:
            os.close(fd)
        fd = inner
    return fd


def open_file(name: bytes, base: bytes, at: int) -> SanFile:
    """A file in the open folder `at`: no link, no FIFO that would hold us. OSError as open(2)."""
    return SanFile(name, os.open(base, _FILE, dir_fd=at))


def parts_of(path: bytes) -> tuple[bytes, ...]:
    """The names in a path, which came from outside: `Unreadable` if it could leave the folder that it starts in."""
    parts = tuple(path.split(b"/"))
    if b"\0" in path or not {b"", b".", b".."}.isdisjoint(parts):
        raise Unreadable("no path below an exam folder")
    return parts


def _place(incoming: int, target: int, name: bytes, data: bytes, mode: int) -> bool:
    """link(2) refuses a taken name; rename(2) would replace it."""
    attempt, new = os.fsencode(secrets.token_hex(16)), True
    fd = os.open(attempt, _NEW, mode, dir_fd=incoming)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(fd)
        os.link(attempt, name, src_dir_fd=incoming, dst_dir_fd=target)
    except FileExistsError:
        new = False
    finally:
        os.unlink(attempt, dir_fd=incoming)
    os.fsync(target)  # also where the name was taken: by a neighbour, perhaps, that has not got so far
    return new


@contextmanager
def told(what: str) -> Iterator[None]:
    """The operating system's errors as ours, its text without the name that goes with it."""
    try:
        yield
    except OSError as error:
        if error.errno in _GONE:
            raise Vanished("a listed file is gone") from None
        raise Unreadable(f"{what}: {os.strerror(error.errno or 0)}") from None


@contextmanager
def _failing_as(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SanError(f"{what}: {os.strerror(error.errno or 0)}") from None
