"""Removed SAN files in their days of grace: `.sdfo-expired/<run>/<their own path>`, on the file system that they lay on.

Everything is reached from one descriptor of the SAN's root, which showed its id: a SAN that is unmounted or swapped meanwhile
is another folder, and nothing there is touched. No link is followed, and no name that is taken is ever replaced.
"""

from __future__ import annotations

import errno
import os
import stat as modes
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from types import TracebackType
from typing import Self

from sdfo.errors import Changed, SanError, Vanished, WrongSan
from sdfo.model import FileStamp
from sdfo.stores.local import rename_noreplace
from sdfo.tiers.san import EXPIRED, ID_FILE, San, SanFile, open_file, open_folder, parts_of, stamp_of, told

_BACK = b"put-back-"
_OTHER_DISK = "an exam folder lies on another file system than the SAN's root"


@dataclass(frozen=True, slots=True)
class Look:
    """A file as it was read just now, whole."""

    stamp: FileStamp
    inode: int
    sha256: str


@dataclass(frozen=True, slots=True)
class AsideFile:
    """A file in its days of grace: of which run, and the path below the SAN's root that it had."""

    run: str
    path: bytes


class Aside:
    """What `.sdfo-expired` of a SAN holds, and the moves there and back. Opens the root; whoever made it closes it."""

    def __init__(self, san: San, identity: str) -> None:
        with told("the SAN's root cannot be opened"):
            self._root = san.open_root()
        self._san, self._identity = san, identity
        self._touched: set[tuple[bytes, ...]] = set()
        try:
            self.require()
        except SanError:
            self.close()
            raise

    def close(self) -> None:
        os.close(self._root)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def require(self) -> None:
        """`WrongSan` unless the root's path still leads to the folder that was opened, and that shows the id it had."""
        with told("the SAN's root cannot be looked at"):
            ours, there = os.fstat(self._root), os.stat(self._san.root)
        if (ours.st_dev, ours.st_ino) != (there.st_dev, there.st_ino):
            raise WrongSan("another folder is mounted at the SAN's root", next_command="mount it, then sdfo doctor")
        with _opened(self._root, (ID_FILE,)) as file:
            found = file.read(0, min(file.size, 128)).decode("ascii", "replace").strip()
        if found != self._identity:
            raise WrongSan("another SAN is mounted at its root", expected=self._identity, found=found)

    def look(self, path: bytes) -> Look:
        """Every byte of a file of an exam folder. `Changed` if it does so meanwhile; `Vanished`, `Unreadable`."""
        return _look(self._root, parts_of(path), path)

    def look_aside(self, file: AsideFile) -> Look:
        return _look(self._root, _at(file), file.path)

    def take(self, run: str, path: bytes) -> AsideFile:
        """Move a file aside. `Vanished`; `SanError` if it lies on another file system, or one of its path lies there already."""
        taken = AsideFile(run, path)
        self._require_file(parts_of(path))
        if not self._move(parts_of(path), _at(taken)):
            raise SanError("this run has moved a file of the same path aside already")
        return taken

    def put_back(self, file: AsideFile) -> bytes:
        """Move a file, or a link or a folder that was moved in its place, back to where it lay; if that name is taken, to
        another in the same folder: the path it got."""
        own = parts_of(file.path)
        for parts in (own, (*own[:-1], _BACK + os.fsencode(os.urandom(8).hex()))):
            if self._move(_at(file), parts):
                return b"/".join(parts)
        raise SanError("a file cannot be put back: its names are taken")

    def unlink(self, file: AsideFile, look: Look) -> None:
        """Remove it for good, if it still is the file that was looked at: `Changed` if not."""
        *folders, base = _at(file)
        with told("a file cannot be removed"):
            at = open_folder(os.dup(self._root), *folders)
            try:
                stat = os.stat(base, dir_fd=at, follow_symlinks=False)
                if (stat.st_ino, stamp_of(file.path, stat)) != (look.inode, look.stamp):
                    raise Changed("a file in its days of grace changed since it was read")
                os.unlink(base, dir_fd=at)
                os.fsync(at)
            finally:
                os.close(at)
        self._prune(tuple(folders), keep=1)

    def files(self) -> Iterator[AsideFile]:
        """All of them, and nothing that is no regular file; ascending."""
        yield from (AsideFile(os.fsdecode(run), b"/".join(rest)) for run, *rest in self._walk((EXPIRED,)) if rest)

    def empty(self, folder: bytes, names: Iterable[bytes]) -> bool:
        """Remove an exam folder's folders that are empty now that these files are gone from them; whether it is gone itself.
        An empty one that no file went from may be a scanner's, which is about to write there."""
        parts = parts_of(folder)
        for below in {parts_of(folder + b"/" + name)[:-1] for name in names}:
            self._prune(below, keep=len(parts) - 1)
        try:
            os.close(open_folder(os.dup(self._root), *parts))
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return False

    def tidy(self) -> None:
        """Take away empty folders of `.sdfo-expired`, as a move that failed leaves them."""
        for below in sorted(self._folders((EXPIRED,)), key=len, reverse=True):
            self._prune(below, keep=1)

    def sync(self) -> None:
        """Make durable what was moved."""
        for parts in sorted(self._touched):
            with suppress(Vanished), told("a folder cannot be made durable"):
                _synced(self._root, parts)
        self._touched.clear()

    def _move(self, old: tuple[bytes, ...], new: tuple[bytes, ...]) -> bool:
        """False, and nothing is moved, if the new name is taken."""
        source = target = -1
        try:
            with told("a file cannot be moved"):
                source = open_folder(os.dup(self._root), *old[:-1])
                target = self._folder(new[:-1])
                try:
                    rename_noreplace(old[-1], new[-1], (source, target))
                except OSError as error:
                    if error.errno == errno.EEXIST:
                        return False
                    if error.errno == errno.EXDEV:
                        raise SanError(_OTHER_DISK) from None
                    raise
        finally:
            for fd in (source, target):
                if fd >= 0:
                    os.close(fd)
        self._touched |= {old[:-1], new[:-1]}
        return True

    def _require_file(self, parts: tuple[bytes, ...]) -> None:
        """A link, or a folder, that took a file's place stays where it is."""
        with told("a file cannot be moved"):
            at = open_folder(os.dup(self._root), *parts[:-1])
            try:
                mode = os.stat(parts[-1], dir_fd=at, follow_symlinks=False).st_mode
            finally:
                os.close(at)
        if not modes.S_ISREG(mode):
            raise Vanished("a file is no regular file any more")

    def _folder(self, parts: tuple[bytes, ...]) -> int:
        """Made, durably, if it is not there yet."""
        try:
            return open_folder(os.dup(self._root), *parts)
        except FileNotFoundError:
            return open_folder(os.dup(self._root), *parts, make=True)

    def _prune(self, parts: tuple[bytes, ...], keep: int) -> None:
        """Remove a folder and those above it as far as they are empty, but for the topmost `keep`."""
        while len(parts) > keep:
            try:
                above = open_folder(os.dup(self._root), *parts[:-1])
                try:
                    os.rmdir(parts[-1], dir_fd=above)
                    os.fsync(above)
                finally:
                    os.close(above)
            except FileNotFoundError:
                pass
            except OSError:
                return  # not empty, or not ours
            parts = parts[:-1]

    def _walk(self, parts: tuple[bytes, ...]) -> Iterator[tuple[bytes, ...]]:
        """Regular files below, each with its names from below `.sdfo-expired`."""
        for name, mode in self._entries(parts):
            if modes.S_ISDIR(mode):
                yield from self._walk((*parts, name))
            elif modes.S_ISREG(mode):
                yield (*parts[1:], name)

    def _folders(self, parts: tuple[bytes, ...]) -> Iterator[tuple[bytes, ...]]:
        yield parts
        for name, mode in self._entries(parts):
            if modes.S_ISDIR(mode):
                yield from self._folders((*parts, name))

    def _entries(self, parts: tuple[bytes, ...]) -> list[tuple[bytes, int]]:
        try:
            fd = open_folder(os.dup(self._root), *parts)
        except OSError:
            return []
        try:
            names = sorted(map(os.fsencode, os.listdir(fd)))
            return [(name, os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode) for name in names]
        except OSError:
            return []
        finally:
            os.close(fd)


def _at(file: AsideFile) -> tuple[bytes, ...]:
    return (EXPIRED, *parts_of(os.fsencode(file.run)), *parts_of(file.path))


@contextmanager
def _opened(root: int, parts: tuple[bytes, ...]) -> Iterator[SanFile]:
    with told("a file cannot be opened"):
        at = open_folder(os.dup(root), *parts[:-1])
        try:
            file = open_file(parts[-1], parts[-1], at)
        finally:
            os.close(at)
    with file:
        yield file


def _look(root: int, parts: tuple[bytes, ...], path: bytes) -> Look:
    with _opened(root, parts) as file:
        before, digest = file.stamp(), sha256()
        for piece in file.stream():
            digest.update(piece)
        file.require(before)
        return Look(FileStamp(path, before.size, before.mtime_ns, before.ctime_ns), file.inode(), digest.hexdigest())


def _synced(root: int, parts: tuple[bytes, ...]) -> None:
    fd = open_folder(os.dup(root), *parts)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
