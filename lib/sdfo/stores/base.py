"""What a store promises. Paths are relative, `/`-separated, each part 1 to 255 of `[A-Za-z0-9._-]`, not `.` or `..`.

Of the errors, `Exists`, `Missing`, `BadPath` and `OutOfRange` are answers: asking again gives the same. So is `Full`, until
somebody makes room; what was being written is garbage. `Unavailable` says that the outcome is unknown: after it a file being
written is garbage (write a new one, under a new name), and after a rename the caller reads the target and decides.
"""

from __future__ import annotations

import re
import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from sdfo.errors import BadPath, Exists, Missing, OutOfRange, StoreError
from sdfo.model import Extent

CHUNK = 4 * 1024 * 1024
"""Bytes moved at once where a whole file is streamed."""

_PART = re.compile(r"[A-Za-z0-9._-]{1,255}")
"""255: NAME_MAX of Linux file systems, and HDFS's dfs.namenode.fs-limits.max-component-length."""


def checked(path: str) -> str:
    """`path` itself, if every part may stand on every store."""
    for part in path.split("/"):
        if not _PART.fullmatch(part) or part in (".", ".."):
            raise BadPath("a path part must be 1 to 255 of [A-Za-z0-9._-], and not . or ..", found=repr(part))
    return path


@dataclass(frozen=True, slots=True)
class Stat:
    """A file in a store. `modified` is seconds since the epoch by the store's own clock."""

    path: str
    size: int
    modified: float


class _Closing(ABC):
    @abstractmethod
    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Source(_Closing):
    """An open file: positioned reads, from any thread. The opener closes it."""

    path: str
    size: int

    @abstractmethod
    def read(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes from `offset`; `OutOfRange` if the file does not hold them."""

    def forget(self) -> None:
        """Drop what this machine keeps of the file in memory: what is read from now on comes from the disk or the server."""

    def stream(self, offset: int = 0, length: int | None = None, chunk: int = CHUNK) -> Iterator[bytes]:
        """The bytes from `offset` (to the end if `length` is None) in pieces of at most `chunk`; `OutOfRange` as `read`."""
        end = self.size if length is None else offset + length
        if not 0 <= offset <= end <= self.size:
            raise OutOfRange("read beyond the end", path=self.path, offset=offset, expected=length, found=self.size)
        for at in range(offset, end, chunk):
            yield self.read(at, min(chunk, end - at))

    def each(self, extents: Sequence[Extent]) -> Iterator[bytes]:
        """The bytes of each extent, in the order given; fastest where they ascend and lie close to one another."""
        for extent in extents:
            yield self.read(extent.offset, extent.length)


class Sink(_Closing):
    """A file being written, front to back. Nothing is durable before `sync` or `close` returned without an error.

    Leaving a `with` block by an exception closes the handle without a promise: the file is an attempt, and garbage. So it
    is once a write, sync or close has failed, and each later one raises too: after a failed fsync(2) the next may succeed
    though bytes were lost.
    """

    path: str

    @abstractmethod
    def write(self, *buffers: bytes | bytearray | memoryview) -> None:
        """Append all `buffers`, in order, entirely."""

    @abstractmethod
    def sync(self) -> None:
        """All written so far survives a power cut."""

    @abstractmethod
    def close(self) -> None:
        """`sync`, and the name survives too. Closing twice is allowed."""

    @abstractmethod
    def abandon(self) -> None:
        """Give up: close the handle, promise nothing. The file stays for `gc`."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self.abandon()


class Store(ABC):
    """Bytes at paths. Constructing one opens nothing; it may be pickled and used after a fork."""

    url: str

    @property
    def write_retry_seconds(self) -> float:
        """For how long it is worth writing anew what met `Unavailable`, to a new name each time. 0: not at all."""
        return 0.0

    @abstractmethod
    def create(self, path: str, *, private: bool = False) -> Sink:
        """A new file, with the folders it needs; `private`: for its owner alone. `Exists` if the name is taken."""

    @abstractmethod
    def open(self, path: str) -> Source:
        """`Missing` if there is no such file."""

    @abstractmethod
    def list(self, folder: str = "") -> Iterator[Stat]:
        """Every file below `folder`, at any depth, ascending by path; nothing if the folder is not there."""

    @abstractmethod
    def stat(self, path: str) -> Stat:
        """`Missing` if there is no such file."""

    @abstractmethod
    def delete(self, path: str) -> None:
        """`Missing` if there is no such file. Emptied folders may stay or go."""

    @abstractmethod
    def rename(self, old: str, new: str) -> None:
        """Atomic and durable. Raises `Exists` if `new` is taken, `Missing` if `old` is not there, and never replaces."""

    @abstractmethod
    def protect(self, folder: str) -> None:
        """Make `folder`, which only its owner may enter from now on."""

    @abstractmethod
    def free(self) -> tuple[int, int]:
        """Bytes free and bytes in all, as the store sees them."""

    def at_risk(self) -> str | None:
        """Why the next disk that fails may cost a file: replicas are missing. None if none is, or the store keeps none."""
        return None

    def has(self, path: str) -> bool:
        """Whether there is such a file."""
        try:
            self.stat(path)
        except Missing:
            return False
        return True

    def read_all(self, path: str) -> bytes:
        """A small file, whole."""
        with self.open(path) as source:
            return source.read(0, source.size)

    def put(self, path: str, data: bytes) -> None:
        """A small private file, whole and durable, visible under its name only when complete. Never over another."""
        attempt = self._attempt(checked(path), data)
        try:
            self.rename(attempt, path)
        except Exists:
            self.delete(attempt)
            raise

    def replace(self, path: str, data: bytes) -> None:
        """`put`, instead of the file there if there is one. Who looks meanwhile finds that one, none, or the new one.

        The new one is complete before the old one goes: a store that is full or dying loses nothing by it.
        """
        attempt = self._attempt(checked(path), data)
        with suppress(Missing):
            self.delete(path)
        self.rename(attempt, path)

    def _attempt(self, path: str, data: bytes) -> str:
        """Write `data` to a new private file beside `path`; its name. Nothing is left behind where that fails."""
        attempt = f"{path}.{secrets.token_hex(8)}.part"
        try:
            with self.create(attempt, private=True) as sink:
                sink.write(data)
        except StoreError:
            with suppress(StoreError):
                self.delete(attempt)
            raise
        return attempt
