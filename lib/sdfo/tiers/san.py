"""The SAN: exam folders with whatever names and files the modalities put there, read and never trusted.

Names are raw bytes. No symbolic link is followed, in any part of a path: each part is opened relative to the folder
before it. Errors say the folder's id and the file's ordinal, never a name.
"""

from __future__ import annotations

import os
import secrets
import stat as modes
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from operator import attrgetter
from types import TracebackType
from typing import Self

from sdfo.errors import OutOfRange, Unreadable, Vanished, WrongSan
from sdfo.model import FileStamp
from sdfo.stores import CHUNK
from sdfo.stores.local import sync_folder

ID_FILE = b".sdfo-san"
OWN = (ID_FILE, b".sdfo-incoming", b".sdfo-expired")
"""What the archive itself keeps at the SAN's root; no exam."""

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_DEEPEST = 100  # folders below an exam folder; each open level holds a descriptor
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # NONBLOCK: a FIFO must not hold the night


@dataclass(frozen=True, slots=True)
class Listing:
    """Everything below one exam folder, at one moment. Names are relative to it and ascend by their bytes.

    `irregular`: links, sockets, devices; True where a link leads out of the SAN. `closed`: folders that cannot be
    listed. `folders`: every folder with its mtime_ns, the exam folder itself as b"".
    """

    files: tuple[FileStamp, ...]
    irregular: tuple[tuple[bytes, bool], ...]
    closed: tuple[bytes, ...]
    folders: tuple[tuple[bytes, int], ...]

    @property
    def seen(self) -> int:
        return len(self.files) + len(self.irregular) + len(self.closed)

    @property
    def newest_ns(self) -> int:
        """When a file last changed. ctime, because a copy may carry its original's mtime along."""
        return max((f.ctime_ns for f in self.files), default=0)

    def digest(self) -> str:
        """Equal for two listings that show the same files."""
        lines = sha256()
        for f in self.files:
            lines.update(b"%d %d %d %d %b" % (len(f.name), f.size, f.mtime_ns, f.ctime_ns, f.name))
        return lines.hexdigest()


class San:
    """`root` as settings give it. `exam_depth`: an exam folder is a directory that many levels below it."""

    def __init__(self, root: str, exam_depth: int = 1) -> None:
        self.root, self.exam_depth = os.fsencode(root), exam_depth

    def identity(self) -> str:
        """The id that `init` gave this SAN; `WrongSan` if there is none, as below an empty mount point."""
        try:
            with open(os.path.join(self.root, ID_FILE), encoding="ascii") as file:
                return file.read().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise WrongSan("the SAN's root has no id file; is it mounted?", next_command="sdfo init (once)") from error

    def require(self, identity: str) -> None:
        """`WrongSan` unless this is the SAN that was meant."""
        found = self.identity()
        if found != identity:
            raise WrongSan("another SAN is mounted at its root", expected=identity, found=found)

    def adopt(self, identity: str | None = None) -> str:
        """Write the id file of a new SAN, or keep the one that is there; its id."""
        os.makedirs(self.root, mode=0o750, exist_ok=True)
        with suppress(WrongSan):
            return self.identity()
        identity = identity or secrets.token_hex(16)
        fd = os.open(os.path.join(self.root, ID_FILE), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444)
        with os.fdopen(fd, "w") as file:
            file.write(identity + "\n")
            os.fsync(fd)
        return identity

    def exams(self) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
        """The exam folders, ascending, and what lies above exam depth and is no folder (no exam's file)."""
        folders, strays = [b""], list[bytes]()
        for _ in range(self.exam_depth):
            below = list[bytes]()
            for parent in folders:
                for entry in self._entries(parent):
                    path = os.path.join(parent, entry.name)
                    (below if entry.is_dir(follow_symlinks=False) else strays).append(path)
            folders = below
        own = set(OWN)
        return tuple(sorted(f for f in folders if f.split(b"/")[0] not in own)), tuple(
            s for s in strays if s not in own
        )

    def _entries(self, folder: bytes) -> list[os.DirEntry[bytes]]:
        try:
            with os.scandir(os.path.join(self.root, folder)) as entries:
                return list(entries)
        except OSError as error:
            raise Unreadable(f"a folder above exam depth cannot be listed: {os.strerror(error.errno or 0)}") from error

    def list(self, folder: bytes) -> Listing:
        """Everything below `folder`, at any depth. `Vanished` if it is gone."""
        found = _Walk(os.path.realpath(self.root))
        try:
            fd = self._open_folder(folder)
        except FileNotFoundError as error:
            raise Vanished("an exam folder is gone") from error
        except OSError:
            return Listing((), (), (b"",), ())
        found.walk(fd, b"")
        return Listing(
            tuple(sorted(found.files, key=attrgetter("name"))),
            tuple(found.irregular),
            tuple(found.closed),
            tuple(found.folders),
        )

    def unchanged(self, folder: bytes, folders: tuple[tuple[bytes, int], ...]) -> bool:
        """Whether every folder of an earlier listing still has its mtime: no name was added or removed since."""
        try:
            return all(
                os.stat(os.path.join(self.root, folder, name), follow_symlinks=False).st_mtime_ns == mtime
                for name, mtime in folders
            )
        except OSError:
            return False

    def open(self, folder: bytes, name: bytes) -> SanFile:
        """`Vanished` or `Unreadable`; the caller closes it."""
        *parents, base = name.split(b"/")
        try:
            at = self._open_folder(folder, *parents)
            try:
                return SanFile(name, os.open(base, _FILE, dir_fd=at))
            finally:
                os.close(at)
        except FileNotFoundError as error:
            raise Vanished("a listed file is gone") from error
        except OSError as error:
            raise Unreadable(f"a file cannot be opened: {os.strerror(error.errno or 0)}") from error

    def place(self, folder: bytes, name: bytes, data: bytes) -> bool:
        """Write a new file, durable and whole before its name appears. False if the name is taken; never replaces."""
        incoming = os.path.join(self.root, b".sdfo-incoming")
        target = os.path.join(self.root, folder)
        for path in (incoming, target):
            os.makedirs(path, mode=0o750, exist_ok=True)
        attempt = os.path.join(incoming, os.fsencode(secrets.token_hex(16)))
        fd = os.open(attempt, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        try:
            with os.fdopen(fd, "wb", closefd=True) as file:
                file.write(data)
                file.flush()
                os.fsync(fd)
            os.link(attempt, os.path.join(target, name))  # link(2) refuses a taken name; rename(2) would replace it
        except FileExistsError:
            return False
        finally:
            os.unlink(attempt)
        for path in (target, os.path.dirname(target)):
            sync_folder(path)
        return True

    def _open_folder(self, folder: bytes, *below: bytes) -> int:
        fd = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        for part in (*folder.split(b"/"), *below):
            try:
                inner = os.open(part, _DIRECTORY, dir_fd=fd)
            finally:
                os.close(fd)
            fd = inner
        return fd


class SanFile:
    """An open file of the SAN: positioned reads that fail as `Unreadable`."""

    def __init__(self, name: bytes, fd: int) -> None:
        self.name, self._fd = name, fd
        stat = os.fstat(fd)
        if not modes.S_ISREG(stat.st_mode):
            self.close()
            raise Unreadable("not a regular file any more")
        self.size = stat.st_size

    def stamp(self) -> FileStamp:
        """What the file looks like now."""
        return stamp_of(self.name, os.fstat(self._fd))

    def read(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes, else `OutOfRange`: the file was cut."""
        try:
            data = os.pread(self._fd, length, offset)
        except OSError as error:
            raise Unreadable(f"a file cannot be read: {os.strerror(error.errno or 0)}", offset=offset) from error
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


def stamp_of(name: bytes, stat: os.stat_result) -> FileStamp:
    return FileStamp(name, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


class _Walk:
    """Gathers a listing; owns each folder's descriptor that it is given."""

    def __init__(self, root: bytes) -> None:
        self.root = root
        self.files: list[FileStamp] = []
        self.irregular: list[tuple[bytes, bool]] = []
        self.closed: list[bytes] = []
        self.folders: list[tuple[bytes, int]] = []

    def walk(self, fd: int, folder: bytes) -> None:
        try:
            self.folders.append((folder, os.fstat(fd).st_mtime_ns))
            for entry in sorted(os.fsencode(n) for n in os.listdir(fd)):
                with suppress(FileNotFoundError):  # renamed while we looked: the next listing shows it
                    self._one(fd, entry, os.path.join(folder, entry))
        finally:
            os.close(fd)

    def _one(self, fd: int, entry: bytes, name: bytes) -> None:
        stat = os.stat(entry, dir_fd=fd, follow_symlinks=False)
        if modes.S_ISDIR(stat.st_mode):
            self._folder(fd, entry, name)
        elif modes.S_ISREG(stat.st_mode):
            self.files.append(stamp_of(name, stat))
        else:
            self.irregular.append((name, modes.S_ISLNK(stat.st_mode) and self._leads_out(fd, entry)))

    def _folder(self, fd: int, entry: bytes, name: bytes) -> None:
        inner = -1
        if name.count(b"/") < _DEEPEST:
            with suppress(PermissionError, NotADirectoryError):
                inner = os.open(entry, _DIRECTORY, dir_fd=fd)
        if inner < 0:
            self.closed.append(name)
        else:
            self.walk(inner, name)

    def _leads_out(self, fd: int, entry: bytes) -> bool:
        target = os.path.realpath(os.path.join(b"/proc/self/fd/%d" % fd, entry))
        return os.path.commonpath([target, self.root]) != self.root
