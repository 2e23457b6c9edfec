"""What lies below one exam folder of the SAN, at one moment. Nothing in it is opened but folders, and no link is followed."""

from __future__ import annotations

import os
import stat as modes
from dataclasses import dataclass
from hashlib import sha256
from operator import attrgetter

from sdfo.model import FileStamp

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
"""How a folder is opened: open(2) refuses a link, and whatever else took the folder's place."""

_DEEPEST = 100  # folders below an exam folder; each open level holds a descriptor
_NEVER = -1  # no folder's mtime: a folder that could not be listed is listed again the next time


@dataclass(frozen=True, slots=True)
class Listing:
    """Everything below one exam folder. Names are relative to it and ascend by their bytes.

    `irregular`: links, sockets, devices; True where a link's own text leads out of the SAN. `closed`: what cannot be
    looked into or at, the exam folder itself as b"". `folders`: every folder with its mtime_ns, likewise.
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

    @property
    def written_ns(self) -> int:
        """When the newest file was written, as it says itself: mtime, which a move to a new SAN carries along."""
        return max((f.mtime_ns for f in self.files), default=0)

    def digest(self) -> str:
        """Equal for two listings that show the same files."""
        lines = sha256()
        for f in self.files:
            lines.update(b"%d %d %d %d %b" % (len(f.name), f.size, f.mtime_ns, f.ctime_ns, f.name))
        return lines.hexdigest()


CLOSED = Listing((), (), (b"",), ((b"", _NEVER),))
"""Of an exam folder that cannot be listed itself."""


def list_folder(fd: int, root: bytes, folder: bytes) -> Listing:
    """The listing of the open exam folder `fd`, which is closed. `folder` is its path below the SAN's real path `root`."""
    walk = _Walk(root, folder)
    walk.folder(fd, b"")
    return Listing(
        tuple(sorted(walk.files, key=attrgetter("name"))),
        tuple(sorted(walk.irregular)),
        tuple(sorted(walk.closed)),
        tuple(walk.folders),
    )


def stamp_of(name: bytes, stat: os.stat_result) -> FileStamp:
    return FileStamp(name, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


class _Walk:
    """Gathers a listing. An error costs the name that it met, never the listing."""

    def __init__(self, root: bytes, exam: bytes) -> None:
        self.root, self.base = root, os.path.join(root, exam)
        self.files: list[FileStamp] = []
        self.irregular: list[tuple[bytes, bool]] = []
        self.closed: list[bytes] = []
        self.folders: list[tuple[bytes, int]] = []

    def folder(self, fd: int, path: bytes) -> None:
        """What is in the folder `fd`, which is closed. Its mtime is taken first: a name that comes later changes it."""
        try:
            mtime, entries = os.fstat(fd).st_mtime_ns, sorted(map(os.fsencode, os.listdir(fd)))
            self.folders.append((path, mtime))
            for entry in entries:
                self._entry(fd, entry, os.path.join(path, entry))
        except OSError:
            self._close(path)
        finally:
            os.close(fd)

    def _entry(self, fd: int, entry: bytes, path: bytes) -> None:
        try:
            stat = os.stat(entry, dir_fd=fd, follow_symlinks=False)
            if modes.S_ISDIR(stat.st_mode):
                self._inner(fd, entry, path)
            elif modes.S_ISREG(stat.st_mode):
                self.files.append(stamp_of(path, stat))
            else:
                self.irregular.append((path, modes.S_ISLNK(stat.st_mode) and self._leads_out(fd, entry, path)))
        except FileNotFoundError:
            pass  # renamed or removed while we looked: the next listing shows it
        except OSError:
            self._close(path)

    def _inner(self, fd: int, entry: bytes, path: bytes) -> None:
        if path.count(b"/") < _DEEPEST:
            self.folder(os.open(entry, FOLDER, dir_fd=fd), path)
        else:
            self._close(path)

    def _close(self, path: bytes) -> None:
        self.closed.append(path)
        self.folders.append((path, _NEVER))

    def _leads_out(self, fd: int, entry: bytes, path: bytes) -> bool:
        """By the link's text alone: what it leads to may be a disk that does not answer."""
        target = os.path.join(self.base, os.path.dirname(path), os.readlink(entry, dir_fd=fd))
        return os.path.commonpath([os.path.normpath(target), self.root]) != self.root
