"""The store: what it promises, in calls of the client."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from hdfs_native import Client, FileStatus, WriteOptions

from sdfo.conf import MIB, Hdfs
from sdfo.errors import Exists, Missing, SdfoError, SettingsError, Unavailable
from sdfo.stores.anew import anew
from sdfo.stores.base import Sink, Source, Stat, Store, checked
from sdfo.stores.hdfs import around, clients, site
from sdfo.stores.hdfs.answers import onto_folder, translated
from sdfo.stores.hdfs.around import Identity
from sdfo.stores.hdfs.calls import Failed, Late, Race
from sdfo.stores.hdfs.sink import HdfsSink
from sdfo.stores.hdfs.source import HdfsSource

if TYPE_CHECKING:
    from hdfs_native._internal import RawFileWriter

T = TypeVar("T")

_FILE, _PRIVATE_FILE, _FOLDER, _PRIVATE_FOLDER = 0o640, 0o600, 0o750, 0o700
_OTHERS = 0o077
_HASTE = 2.0
"""The deadline that the hasty client has in mind, in seconds."""
_TRIES = 50
"""How often a folder is made for a name, where others take it away again as it empties."""


class HdfsStore(Store):
    """`url`: hdfs://host:port/folder, hdfs://service/folder, or hdfs:///folder on fs.defaultFS."""

    def __init__(self, url: str, settings: Hdfs | None = None) -> None:
        parts = urlsplit(url)
        self._top = parts.path.rstrip("/")
        if parts.query or parts.fragment:
            raise SettingsError("an hdfs URL has a host and a path", found=url)
        if self._top:
            checked(self._top.removeprefix("/"))
        self._cluster = f"hdfs://{parts.netloc}" if parts.netloc else ""
        self.url = f"{self._cluster or 'hdfs://'}{self._top or '/'}"
        self._settings = settings or Hdfs(root=url)

    @property
    def deadline(self) -> float:
        """Seconds."""
        return self._settings.deadline_seconds

    @property
    def write_retry_seconds(self) -> float:
        return self._settings.write_retry_seconds

    @property
    def client(self) -> Client:
        """This process's."""
        return clients.client(self._cluster, self.deadline)

    @property
    def hasty_client(self) -> Client:
        """One that soon goes on to the next node, for reading around one that hangs."""
        return clients.client(self._cluster, _HASTE)

    def at(self, path: str) -> str:
        """The absolute path on HDFS."""
        return f"{self._top}/{checked(path)}"

    def call(self, path: str, work: Callable[[], T], *, namenode: bool = True) -> T:
        """What `work` gives, in another thread, by the deadline; errors as ours, of `path`.

        `namenode`: it is the NameNode that is asked, with `self.client`, and no answer is for want of that one.
        """
        return self.begun(path, work, namenode=namenode)()

    def begun(self, path: str, work: Callable[[], T], *, namenode: bool = True) -> Callable[[], T]:
        """`call`, which has begun: what is returned awaits its end."""
        race: Race[T] = Race()
        turn = clients.turn(self._cluster)
        race.begin(work)

        def ended() -> T:
            try:
                return race.first(race.began + self.deadline)[0]
            except Late as late:
                if namenode:
                    clients.next_turn(self._cluster, turn)
                raise translated(late, path, late=self.deadline) from None
            except Failed:
                error = race.failures[0]
                raise translated(error, path) from error

        return ended

    # ---- files

    def create(self, path: str, *, private: bool = False) -> Sink:
        at = self.at(path)
        options = WriteOptions(
            block_size=self._settings.block_mib * MIB,
            permission=_PRIVATE_FILE if private else _FILE,
            overwrite=False,
            create_parent=False,  # true would make folders for everybody to read
        )

        def work() -> RawFileWriter:
            # the client's own FileWriter closes the file when it is freed, for as long as that takes
            return self._in_folder(at, lambda: self.client.inner.create(at, options))

        return HdfsSink(self, path, self.call(path, work))

    def _in_folder(self, at: str, work: Callable[[], T], needed: str | None = None) -> T:
        """`work`, which needs the folder that `at` lies in, and the file `needed`: FileNotFoundError if that is gone."""
        for _ in range(_TRIES):
            try:
                return work()
            except FileNotFoundError:
                if needed is not None:
                    self.client.get_file_info(needed)
                self.client.mkdirs(_parent(at), _FOLDER, create_parent=True)
        raise Unavailable("its folder is taken away again and again")

    def open(self, path: str) -> Source:
        at = self.at(path)

        def work() -> HdfsSource:
            reader, status = self.client.read(at), self.client.get_file_info(at)
            if len(reader) != status.length:
                raise Unavailable("the file is being written", path=path, expected=status.length, found=len(reader))
            return HdfsSource(self, Identity(at, status.length, status.modification_time), path, reader)

        return self.call(path, work)

    def stat(self, path: str) -> Stat:
        at = self.at(path)
        status = self.call(path, lambda: self.client.get_file_info(at))
        if status.isdir:
            raise Missing("not a file", path=path)
        return _stat(path, status)

    def delete(self, path: str) -> None:
        at = self.at(path)
        self.stat(path)  # a folder would go too, if it is empty
        if not self.call(path, lambda: self.client.delete(at, False)):
            raise Missing("not there", path=path)
        self._left(path)

    def rename(self, old: str, new: str) -> None:
        source, target = self.at(old), self.at(new)
        self.stat(old)  # a folder is not renamed

        def work() -> None:
            try:
                self._in_folder(target, lambda: self.client.rename(source, target, overwrite=False), needed=source)
            except FileNotFoundError as error:
                raise Missing("not there", path=old) from error
            except RuntimeError as error:
                if onto_folder(error):
                    raise Exists("a folder is there", path=new) from error
                raise

        self.call(new, work)
        if _parent(source) != _parent(target):
            self._left(old)

    def _left(self, path: str) -> None:
        """A name went from its folder; so does the folder if it was the last: each costs the NameNode an object.

        A protected folder stays: whoever made it again would open it to others.
        """
        folder = path.rpartition("/")[0]
        if folder:
            at = self.at(folder)

            def work() -> None:
                if self.client.get_file_info(at).permission & _OTHERS:
                    self.client.delete(at, False)

            with suppress(SdfoError):  # not empty, or gone
                self.call(folder, work)

    def _attempt(self, path: str, data: bytes) -> str:
        return anew(self.write_retry_seconds, partial(super()._attempt, path, data))

    # ---- folders

    def list(self, folder: str = "") -> Iterator[Stat]:
        yield from self._walk(self.at(folder) if folder else self._top or "/")

    def _walk(self, at: str) -> Iterator[Stat]:
        for status in self._entries(at):
            if status.isdir:
                yield from self._walk(status.path)
            else:
                yield _stat(status.path.removeprefix(f"{self._top}/"), status)

    def _entries(self, at: str) -> Sequence[FileStatus]:
        """What is in a folder; nothing if it is none, or went away while we looked."""
        path = at.removeprefix(f"{self._top}/")
        try:
            found = self.call(path, lambda: list(self.client.list_status(at, False)))
        except Missing:
            return []
        # `a.b` sorts before `a/c`: a folder's key carries its slash, so that whole paths come out ascending
        return sorted((s for s in found if s.path != at), key=lambda s: s.path + "/" * s.isdir)

    def protect(self, folder: str) -> None:
        at = self.at(folder)

        def work() -> None:
            self.client.mkdirs(_parent(at), _FOLDER, create_parent=True)
            self.client.mkdirs(at, _PRIVATE_FOLDER, create_parent=True)
            self.client.set_permission(at, _PRIVATE_FOLDER)

        self.call(folder, work)

    def free(self) -> tuple[int, int]:
        """In bytes of files: what the disks have, divided by the replicas that `dfs.replication` makes of each."""
        free, total = self.call("", lambda: around.capacity(self.url, self.deadline / 4))
        copies = site.site().replication
        return free // copies, total // copies

    def at_risk(self) -> str | None:
        return self.call("", lambda: around.risk(self.url, self.deadline / 4))


def _parent(at: str) -> str:
    return at.rpartition("/")[0] or "/"


def _stat(path: str, status: FileStatus) -> Stat:
    return Stat(path, status.length, status.modification_time / 1000)
