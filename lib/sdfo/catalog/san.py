"""What the scan knows of the SAN: its exam folders, as last listed, and their files, with what became of each.

Files are told apart by folder and name; a file whose size or times differ is another file, and new. Rows are written
after reading what is there: the writer is alone (engine.py).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, delete, select, update

from sdfo.catalog import attributes, holds, tables
from sdfo.catalog.engine import batched, upsert
from sdfo.catalog.journal import as_name, as_text
from sdfo.model import FileStamp

FolderState = Literal["receiving", "settled", "waiting", "taken", "archived", "freed"]
"""`waiting` for the first load, `taken` by it: what is then left of the folder is the night's (backlog.py)."""
FileState = Literal["new", "archived", "alias", "freed"]
Dirs = tuple[tuple[bytes, int], ...]

_FOLDER, _FILE = tables.san_folder.c, tables.san_file.c


@dataclass(frozen=True, slots=True)
class SanFolder:
    """An exam folder as last listed. `dirs`: each directory in it, relative, and its mtime_ns; `files`: how many it held;
    `newest_ns`: mtime of the newest.

    `listed_at` is None where the catalog knows the folder from an archived part only: it was never listed here.
    """

    id: int
    path: bytes
    state: str
    listing: str
    newest_ns: int
    listed_at: datetime | None
    dirs: Dirs
    files: int


@dataclass(frozen=True, slots=True)
class SanFile:
    """A file of an exam folder. `digest` is None until a night has read it whole."""

    name: bytes
    size: int
    mtime_ns: int
    ctime_ns: int
    study: str | None = None
    series: str | None = None
    sop: str | None = None
    sop_class: str | None = None
    digest: str | None = None
    state: str = "new"
    first_seen: datetime | None = None


def folders(conn: Connection) -> dict[bytes, SanFolder]:
    return {row.path: folder_of(row) for row in conn.execute(select(tables.san_folder))}


def folder_of(row: Row[Any]) -> SanFolder:
    return SanFolder(row.id, row.path, row.state, row.listing, row.newest_ns, row.listed_at, _dirs(row.dirs), row.files)


def keep_listing(
    conn: Connection,
    path: bytes,
    listing: str,
    newest_ns: int,
    dirs: Dirs,
    files: int,
    at: datetime,
    state: str,
) -> int:
    """Put this listing in the place of the last; the folder's id."""
    as_listed = json.dumps([[as_text(name), mtime_ns] for name, mtime_ns in dirs])
    values = {
        "state": state,
        "listing": listing,
        "newest_ns": newest_ns,
        "listed_at": at,
        "dirs": as_listed,
        "files": files,
    }
    folder_id = ensure_folder(conn, path)
    conn.execute(update(tables.san_folder).where(_FOLDER.id == folder_id).values(values))
    return folder_id


def ensure_folder(conn: Connection, path: bytes) -> int:
    """The id of the folder, which is kept as never listed if it is new."""
    found = conn.execute(select(_FOLDER.id).where(_FOLDER.path == path)).scalar()
    if found is None:
        empty = {"state": "receiving", "listing": "", "newest_ns": 0, "dirs": "[]", "files": 0}
        statement = tables.san_folder.insert().values(path=path, **empty).returning(_FOLDER.id)
        found = conn.execute(statement).scalar_one()
    return int(found)


def folder_paths(conn: Connection, ids: Iterable[int]) -> dict[int, bytes]:
    paths: dict[int, bytes] = {}
    for piece in batched(ids):
        paths |= {
            row.id: row.path for row in conn.execute(select(_FOLDER.id, _FOLDER.path).where(_FOLDER.id.in_(piece)))
        }
    return paths


def set_folder_state(conn: Connection, ids: Iterable[int], state: str) -> None:
    for piece in batched(ids):
        conn.execute(update(tables.san_folder).where(_FOLDER.id.in_(piece)).values(state=state))


def files(conn: Connection, folder_id: int) -> dict[bytes, SanFile]:
    return {row.name: _file(row) for row in rows(conn, [folder_id]).values()}


def note_files(
    conn: Connection,
    folder_id: int,
    noted: Sequence[SanFile],
    known: Sequence[attributes.StudyAttributes],
    now: datetime,
) -> None:
    """Keep files and what their heads say. One that is there unchanged stays what it is; one of another length or mtime is
    another file, first seen now: scanners use their names again, years later too."""
    with holds.lasting(conn, [study.study for study in known]):
        attributes.keep(conn, sorted(known, key=lambda study: study.study), noted=True)
    attributes.ensure(conn, ((file.study, file.series) for file in noted))
    there = rows(conn, [folder_id])
    changed = (_noted(folder_id, file, there.get((folder_id, keyed(file.name))), now) for file in noted)
    write(conn, [row for row in changed if row is not None])


def forget_files(conn: Connection, folder_id: int, names: Iterable[bytes]) -> None:
    """These are no longer on the SAN: a file never archived leaves no trace, an archived one is `freed`."""
    for piece in batched(keyed(name) for name in names):
        gone = (_FILE.folder_id == folder_id, _FILE.key.in_(piece))
        conn.execute(delete(tables.san_file).where(*gone, _FILE.state == "new"))
        conn.execute(update(tables.san_file).where(*gone).values(state="freed"))


def reopen_file(conn: Connection, folder_id: int, name: bytes) -> None:
    """Make the next scan read this file again, and list its folder in full for it."""
    this = (_FILE.folder_id == folder_id, _FILE.key == keyed(name))
    conn.execute(update(tables.san_file).where(*this).values(state="new", digest=None))
    set_folder_state(conn, [folder_id], "receiving")


def digests(conn: Connection, studies: Iterable[str]) -> dict[str, set[str]]:
    """SHA-256 of every record that a part of these studies holds; a study without one has an empty set."""
    wanted = list(studies)
    held: dict[str, set[str]] = {study: set() for study in wanted}
    for piece in batched(wanted):
        rows = select(tables.part.c.study, tables.instance.c.sha256).join_from(tables.part, tables.instance)
        for study, sha256 in conn.execute(rows.where(tables.part.c.study.in_(piece))):
            held[study].add(sha256)
    return held


def keyed(name: bytes) -> bytes:
    """What a name is found by. PostgreSQL's index takes at most 2.7 KB, a path may have 4 KB."""
    return hashlib.blake2b(name, digest_size=16).digest()


def rows(conn: Connection, folder_ids: Iterable[int]) -> dict[tuple[int, bytes], Row[Any]]:
    """The files of these folders, by folder and `keyed` name."""
    found = {}
    for piece in batched(folder_ids):
        for row in conn.execute(select(tables.san_file).where(_FILE.folder_id.in_(piece))):
            found[row.folder_id, row.key] = row
    return found


def same(row: Row[Any], stamp: FileStamp | SanFile) -> bool:
    return (row.size, row.mtime_ns, row.ctime_ns) == (stamp.size, stamp.mtime_ns, stamp.ctime_ns)


def _noted(folder_id: int, file: SanFile, prior: Row[Any] | None, now: datetime) -> dict[str, Any] | None:
    """The row of a file whose head was read; None where the row that is there says it all. A freed file that is back is
    new: nobody has looked whether it came back whole."""
    if prior is not None and same(prior, file) and prior.state in ("archived", "alias"):
        return None
    return {
        **place(folder_id, FileStamp(file.name, file.size, file.mtime_ns, file.ctime_ns)),
        "study": file.study,
        "series": file.series,
        "sop": file.sop,
        "sop_class": file.sop_class,
        "digest": None,
        "state": "new",
        "first_seen": prior.first_seen if prior is not None and _as_long(prior, file) else now,
    }


def _as_long(prior: Row[Any], file: SanFile) -> bool:
    """Whether it may be the same file. Its ctime does not tell: a new owner, or a move to another disk, changes it."""
    return (prior.size, prior.mtime_ns) == (file.size, file.mtime_ns)


def place(folder_id: int, stamp: FileStamp) -> dict[str, Any]:
    return {
        "folder_id": folder_id,
        "key": keyed(stamp.name),
        "name": stamp.name,
        "size": stamp.size,
        "mtime_ns": stamp.mtime_ns,
        "ctime_ns": stamp.ctime_ns,
    }


def write(conn: Connection, files: list[dict[str, Any]]) -> None:
    """Insert rows, or put them in the place of those that are there."""
    if not files:
        return
    statement = upsert(conn, tables.san_file)
    values = {name: statement.excluded[name] for name in files[0] if name not in ("folder_id", "key", "name")}
    conn.execute(statement.on_conflict_do_update(index_elements=["folder_id", "key"], set_=values), files)


def _file(row: Row[Any]) -> SanFile:
    stamp = (row.name, row.size, row.mtime_ns, row.ctime_ns)
    return SanFile(*stamp, row.study, row.series, row.sop, row.sop_class, row.digest, row.state, row.first_seen)


def _dirs(text: str) -> Dirs:
    return tuple((as_name(name), mtime_ns) for name, mtime_ns in json.loads(text))
