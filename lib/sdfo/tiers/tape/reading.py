"""Reading from volumes that lie in the staging area: a member is a byte range of the tar, and a `Source` like any other."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from contextlib import suppress
from typing import NoReturn

from sdfo.errors import Missing, OnTape, OutOfRange, StoreError, VolumeError
from sdfo.stores import Sink, Source, Stat, Store
from sdfo.tiers import tape
from sdfo.tiers.tape import contents
from sdfo.tiers.tape.contents import MANIFEST, Manifest

_FRONT = 8192  # LABEL.json is far smaller


class _Reading(Store):
    """What both stores refuse: a volume is never changed."""

    def create(self, path: str, *, private: bool = False) -> Sink:
        self._refuse(path)

    def delete(self, path: str) -> None:
        self._refuse(path)

    def rename(self, old: str, new: str) -> None:
        self._refuse(old)

    def protect(self, folder: str) -> None:
        self._refuse(folder)

    def free(self) -> tuple[int, int]:
        return 0, 0

    def _refuse(self, path: str) -> NoReturn:
        raise StoreError("a volume is never changed", path=path)


class VolumeStore(_Reading):
    """The files on one volume, under their paths on HDFS. `at`: where the tar lies in `store`."""

    def __init__(self, store: Store, at: str, volume: Manifest) -> None:
        self._store, self._at, self.manifest = store, at, volume
        self.url = f"{store.url}/{at}"
        self._entries = {entry.path: entry for entry in volume.entries}

    def open(self, path: str) -> Source:
        entry = self._entries.get(path)
        if entry is None:
            raise Missing("no such file on this volume", path=path)
        try:
            source = self._store.open(self._at)
        except Missing as error:  # room was made, or it was moved
            raise OnTape("the volume is not here any more", path=path, next_command="sdfo recall UID") from error
        if entry.offset + entry.size > source.size:
            source.close()
            raise VolumeError("the volume is cut", path=path, expected=entry.offset + entry.size, found=source.size)
        return _Member(source, path, entry.offset, entry.size)

    def list(self, folder: str = "") -> Iterator[Stat]:
        below = folder + "/" if folder else ""
        return (self.stat(path) for path in sorted(self._entries) if path.startswith(below))

    def stat(self, path: str) -> Stat:
        entry = self._entries.get(path)
        if entry is None:
            raise Missing("no such file on this volume", path=path)
        return Stat(path, entry.size, 0.0)


class TapeStore(_Reading):
    """Files on all volumes that lie in the staging area, as `<volume>/<path on HDFS>`: what a copy's path is.

    `OnTape` for one on a volume that does not: it has to be recalled. For several threads.
    """

    def __init__(self, store: Store) -> None:
        self._store, self.url = store, store.url
        self._volumes = dict[str, Manifest]()

    def open(self, path: str) -> Source:
        volume, _, member = path.partition("/")
        return _Named(self.volume(volume).open(member), path)

    def volume(self, volume: str) -> VolumeStore:
        """`OnTape` if it is not here; `Missing` if nothing is known of it."""
        at = whereabouts(self._store, volume)
        if at is None:
            raise OnTape("the volume is on tape", path=volume, next_command="sdfo recall UID")
        if volume not in self._volumes:
            self._volumes[volume] = manifest_of(self._store, volume, at)
        return VolumeStore(self._store, at, self._volumes[volume])

    def list(self, folder: str = "") -> Iterator[Stat]:
        return iter(())

    def stat(self, path: str) -> Stat:
        with self.open(path) as source:
            return Stat(path, source.size, 0.0)


class _Member(Source):
    def __init__(self, source: Source, path: str, offset: int, size: int) -> None:
        self.path, self.size, self._source, self._offset = path, size, source, offset

    def read(self, offset: int, length: int) -> bytes:
        if offset < 0 or length < 0 or offset + length > self.size:
            found = self.size - offset
            raise OutOfRange("read beyond the end", path=self.path, offset=offset, expected=length, found=found)
        return self._source.read(self._offset + offset, length)

    def close(self) -> None:
        self._source.close()


class _Named(Source):
    """The same under the path that it was asked for by."""

    def __init__(self, source: Source, path: str) -> None:
        self._source, self.path, self.size = source, path, source.size

    def read(self, offset: int, length: int) -> bytes:
        return self._source.read(offset, length)

    def close(self) -> None:
        self._source.close()


def whereabouts(store: Store, volume: str) -> str | None:
    """Where a volume lies that may be read; None if nowhere. One that came back must have been proven first."""
    for folder in (tape.IN, tape.READY, tape.SEALED, tape.RETIRED):
        with suppress(Missing):
            if folder == tape.IN:
                store.stat(tape.proven(volume))
            return store.stat(tape.tar(folder, volume)).path
    return None


def manifest_of(store: Store, volume: str, at: str | None = None) -> Manifest:
    """The manifest as it was kept, else the volume's own, at `at`. `Missing` if there is neither."""
    path = tape.manifest(volume)
    try:
        found = contents.decode(store.read_all(path), path)
        if found.label.volume != volume:
            raise VolumeError("a manifest of another volume", path=path, expected=volume)
    except (Missing, VolumeError):
        if at is None:
            raise
        return own_manifest(store, at)
    return found


def keep_manifest(store: Store, volume: str, at: str) -> None:
    """Have the manifest kept as it is on the volume at `at`, every byte of which was proven."""
    own = _own_bytes(store, at)
    with suppress(Missing):
        if store.read_all(tape.manifest(volume)) == own:
            return
    store.replace(tape.manifest(volume), own)


def own_manifest(store: Store, at: str) -> Manifest:
    """MANIFEST.json out of a tar, which is its second member: no tar needs to be searched for it."""
    return contents.decode(_own_bytes(store, at), at)


def _own_bytes(store: Store, at: str) -> bytes:
    with store.open(at) as source:
        try:
            first = tarfile.TarInfo.frombuf(source.read(0, 512), "ascii", "surrogateescape")
            start = 512 + -(-first.size // 512) * 512
            if start > _FRONT:
                raise VolumeError("no label stands first", path=at, offset=0)
            second = tarfile.TarInfo.frombuf(source.read(start, 512), "ascii", "surrogateescape")
            if second.name != MANIFEST:
                raise VolumeError("no manifest stands second", path=at, offset=start)
            return source.read(start + 512, second.size)
        except (tarfile.HeaderError, OutOfRange) as error:
            raise VolumeError("no tar with a label and a manifest", path=at, offset=0) from error
