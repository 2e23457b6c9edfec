"""The catalog's own backup: one private file on HDFS and on near-line, named by its moment and its content.

    state/catalog/<yyyymmdd>T<hhmmss>.<microseconds>-<first 16 hex of its SHA-256>.zip

It is written from one moment of the catalog, read back, and every row of it compared with the catalog at that very moment,
before it gets its name. Tape takes it from the same folder.
"""

from __future__ import annotations

import io
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, BinaryIO, cast

from sdfo.catalog.dump import Dump, write
from sdfo.errors import CatalogError, Exists, Missing, NotFound, Postponed, StoreError
from sdfo.model import Tier
from sdfo.nightly.place import Place
from sdfo.nightly.turn import turn
from sdfo.stores import Sink, Store
from sdfo.stores.anew import anew

STEP = "catalog-backup"
"""The step's name in the catalog, and its lease: a backup's age is that of the last one that is done."""
FOLDER = "state/catalog"
_NAME = re.compile(rf"{FOLDER}/\d{{8}}T\d{{6}}\.\d{{6}}-[0-9a-f]{{16}}\.zip")
_BUFFER = 1024 * 1024


@dataclass(frozen=True, slots=True)
class CatalogBackupReport:
    """`removed`: older ones, over all tiers. `nearline` is False where the archive has no near-line store."""

    path: str
    sha256: str
    bytes: int
    rows: int
    nearline: bool
    removed: int


@dataclass(frozen=True, slots=True)
class _Written:
    attempt: str
    sha256: str
    size: int
    rows: int


def catalog_backup(place: Place) -> CatalogBackupReport:
    """Back up the catalog, then thin the older ones to `catalog.backups_kept` on each tier.

    `Postponed` where near-line does not answer: the copy on HDFS is made by then. Each call makes a new one.
    """
    if not place.catalog.steps(place.run):
        place.catalog.start_run(place.run, place.settings.engine)
    with turn(place, STEP, lease=STEP) as mine:
        with place.catalog.database.moment() as (conn, at):
            made = anew(place.store.write_retry_seconds, lambda: _dumped(place, conn, at))
            with place.store.open(made.attempt) as source:
                Dump(source).compare(conn)
        _require(place.store, made.attempt, made.sha256)
        mine.check()
        path = f"{FOLDER}/{at:%Y%m%dT%H%M%S.%f}-{made.sha256[:16]}.zip"
        _named(place.store, made.attempt, path, made.sha256)
        near = place.nearline if place.has_nearline else None
        if near is not None:
            attempt = anew(near.write_retry_seconds, lambda: _copied(place, path, near, made.sha256))
            mine.check()
            _named(near, attempt, path, made.sha256)
        stores = [place.store] + ([near] if near is not None else [])
        removed = sum(_thinned(store, place.settings.catalog.backups_kept, path) for store in stores)
        mine.report = CatalogBackupReport(path, made.sha256, made.size, made.rows, near is not None, removed)
    place.catalog.release(mine.lease)
    report: CatalogBackupReport = mine.report
    return report


def backups(store: Store) -> list[str]:
    """Paths, oldest first."""
    return [stat.path for stat in store.list(FOLDER) if _NAME.fullmatch(stat.path)]


def chosen(place: Place, path: str | None = None) -> tuple[Tier, Store, str, tuple[str, ...]]:
    """The backup at `path`, or the newest, that is whole on any tier; of two equal ones, that on HDFS. Last: what was passed
    over because it is not.

    `NotFound` if there is none, `CatalogError` if none is whole. The journal since makes up for a backup that is older.
    """
    found = [
        (each, tier, store) for tier, store in _stores(place) for each in backups(store) if path is None or each == path
    ]
    if not found:
        raise NotFound("no tier has this backup of the catalog", found=path, next_command="sdfo catalog rebuild")
    damaged = list[str]()
    for name, tier, store in sorted(found, key=lambda each: (each[0], each[1] is Tier.HDFS), reverse=True):
        try:
            prove(store, name)
        except (CatalogError, StoreError) as error:
            damaged.append(f"{name} on {tier}: {error.what}")
        else:
            return tier, store, name, tuple(damaged)
    raise CatalogError(
        "no backup of the catalog is whole", found="; ".join(damaged), next_command="sdfo catalog rebuild"
    )


def prove(store: Store, path: str) -> None:
    """`CatalogError` unless every byte of it is what its name says."""
    found = _digest(store, path)
    if f"-{found[:16]}." not in path:
        raise CatalogError("the backup is damaged", path=path, found=found, next_command="take another one")


def _stores(place: Place) -> Iterator[tuple[Tier, Store]]:
    yield Tier.HDFS, place.store
    with suppress(StoreError, Postponed):  # not made yet, not mounted, or away
        yield Tier.NEARLINE, place.nearline


def _dumped(place: Place, conn: Any, at: datetime) -> _Written:
    attempt = _attempt(place)
    place.store.protect(FOLDER.partition("/")[0])
    with place.store.create(attempt, private=True) as sink:
        hashed = _Hashed(sink)
        with io.BufferedWriter(hashed, _BUFFER) as into:
            contents = write(conn, at, cast(BinaryIO, _Pipe(into.write, into.flush)))
    return _Written(attempt, hashed.digest.hexdigest(), hashed.size, sum(contents.tables.values()))


def _copied(place: Place, path: str, target: Store, digest: str) -> str:
    attempt = _attempt(place)
    target.protect(FOLDER.partition("/")[0])
    with place.store.open(path) as source, target.create(attempt, private=True) as sink:
        for piece in source.stream():
            sink.write(piece)
    _require(target, attempt, digest)
    return attempt


def _attempt(place: Place) -> str:
    return f"attempts/{place.run}/catalog-{secrets.token_hex(6)}.zip"


def _named(store: Store, attempt: str, path: str, digest: str) -> None:
    """Its name; one that has it already after an unknown outcome is looked at."""
    try:
        store.rename(attempt, path)
    except (Exists, Missing):
        _require(store, path, digest)


def _require(store: Store, path: str, digest: str) -> None:
    found = _digest(store, path)
    if found != digest:
        raise CatalogError("the backup reads back as other bytes", path=path, expected=digest, found=found)


def _digest(store: Store, path: str) -> str:
    digest = sha256()
    with store.open(path) as source:
        for piece in source.stream():
            digest.update(piece)
    return digest.hexdigest()


def _thinned(store: Store, keep: int, made: str) -> int:
    """Never the one just made, which was proven: after a clock was set back it is not the newest by its name."""
    old = [path for path in backups(store)[:-keep] if path != made]
    for path in old:
        with suppress(Missing):
            store.delete(path)
    return len(old)


class _Hashed(io.RawIOBase):
    """A sink as a file, with the digest of what went into it. What failed once fails alike: a buffer before it tries again
    when it is closed."""

    def __init__(self, sink: Sink) -> None:
        self._sink, self.digest, self.size = sink, sha256(), 0
        self._failed: StoreError | None = None

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        piece = bytes(data)
        if self._failed is not None:
            raise self._failed
        try:
            self._sink.write(piece)
        except StoreError as error:
            self._failed = error
            raise
        self.digest.update(piece)
        self.size += len(piece)
        return len(piece)


@dataclass(frozen=True, slots=True)
class _Pipe:
    """What cannot be sought in: a ZIP is then written with each length behind its member (APPNOTE.TXT 4.3.9)."""

    write: Callable[[Any], int]
    flush: Callable[[], None]
