"""What the scan knows of the SAN: its exam folders, as last listed, and their files, with what became of each.

Files are told apart by folder and name; a file whose size or times differ is another file, and new. Rows are written
after reading what is there: the writer is alone (engine.py).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, Row, bindparam, delete, select, update

from sdfo.catalog import attributes, tables
from sdfo.catalog.engine import batched, upsert
from sdfo.catalog.journal import as_name, as_text
from sdfo.catalog.types import keepable
from sdfo.model import FileStamp

FolderState = Literal["receiving", "settled", "archived", "freed"]
FileState = Literal["new", "archived", "alias", "freed"]
Dirs = tuple[tuple[bytes, int], ...]

_FOLDER, _FILE = tables.san_folder.c, tables.san_file.c


@dataclass(frozen=True, slots=True)
class SanFolder:
    """An exam folder as last listed. `dirs`: each directory in it, relative, and its mtime_ns; `files`: how many it held.

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


class FileMark(NamedTuple):
    """A SAN file that is now archived: as a record, or as an alias of one the study already holds.

    What follows `state` is for rebuild, which has no row to take it from.
    """

    folder_id: int
    stamp: FileStamp
    sha256: str
    state: str = "archived"
    first_seen: datetime | None = None
    series: str | None = None
    sop: str | None = None
    sop_class: str | None = None


def folders(conn: Connection) -> dict[bytes, SanFolder]:
    return {
        row.path: SanFolder(
            row.id, row.path, row.state, row.listing, row.newest_ns, row.listed_at, _dirs(row.dirs), row.files
        )
        for row in conn.execute(select(tables.san_folder))
    }


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


def set_folder_state(conn: Connection, ids: Iterable[int], state: str) -> None:
    for piece in batched(ids):
        conn.execute(update(tables.san_folder).where(_FOLDER.id.in_(piece)).values(state=state))


def files(conn: Connection, folder_id: int) -> dict[bytes, SanFile]:
    rows = conn.execute(select(tables.san_file).where(_FILE.folder_id == folder_id))
    return {row.name: _file(row) for row in rows}


def note_files(
    conn: Connection,
    folder_id: int,
    noted: Sequence[SanFile],
    known: Sequence[attributes.StudyAttributes],
    now: datetime,
) -> None:
    """Keep files and what their heads say. One that is there unchanged stays what it is; `first_seen` always stays."""
    attributes.keep(conn, sorted(known, key=lambda study: study.study), noted=True)
    attributes.ensure(conn, ((file.study, file.series) for file in noted))
    there = _rows(conn, [folder_id])
    rows = [_noted(folder_id, file, there.get((folder_id, keyed(file.name))), now) for file in noted]
    _write(conn, [row for row in rows if row is not None])


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


def mark(conn: Connection, study: str, marks: Sequence[FileMark], known: Mapping[str, Any], now: datetime) -> list[Any]:
    """Mark files as archived in `study`; the marks as kept, with their first_seen, for the journal.

    `known`: by SHA-256, whatever says `series`, `sop` and `sop_class` of a file. A file that has changed since, or was
    freed, keeps its row: the mark is of what lay there then.
    """
    there = _rows(conn, {mark.folder_id for mark in marks})
    kept, rows = [], []
    for each in marks:
        prior = there.get((each.folder_id, keyed(each.stamp.name)))
        full = _completed(each, known.get(each.sha256), prior, now)
        kept.append(full)
        if prior is None or (_same(prior, each.stamp) and prior.state != "freed"):
            rows.append(_marked(study, full))
    _write(conn, rows)
    return kept


def keyed(name: bytes) -> bytes:
    """What a name is found by. PostgreSQL's index takes at most 2.7 KB, a path may have 4 KB."""
    return hashlib.blake2b(name, digest_size=16).digest()


def _rows(conn: Connection, folder_ids: Iterable[int]) -> dict[tuple[int, bytes], Row[Any]]:
    found = {}
    for piece in batched(folder_ids):
        for row in conn.execute(select(tables.san_file).where(_FILE.folder_id.in_(piece))):
            found[row.folder_id, row.key] = row
    return found


def _same(row: Row[Any], stamp: FileStamp | SanFile) -> bool:
    return (row.size, row.mtime_ns, row.ctime_ns) == (stamp.size, stamp.mtime_ns, stamp.ctime_ns)


def _noted(folder_id: int, file: SanFile, prior: Row[Any] | None, now: datetime) -> dict[str, Any] | None:
    """The row of a file whose head was read; None where the row that is there says it all. A freed file that is back is
    new: nobody has looked whether it came back whole."""
    if prior is not None and _same(prior, file) and prior.state in ("archived", "alias"):
        return None
    return {
        **_place(folder_id, FileStamp(file.name, file.size, file.mtime_ns, file.ctime_ns)),
        "study": file.study,
        "series": file.series,
        "sop": file.sop,
        "sop_class": file.sop_class,
        "digest": None,
        "state": "new",
        "first_seen": now if prior is None else prior.first_seen,
    }


def _completed(mark: FileMark, record: Any, prior: Row[Any] | None, now: datetime) -> FileMark:
    """The mark with what its record, else the scan's row, knows."""
    for source in (record, prior):
        if source is not None and mark.sop is None:
            mark = mark._replace(series=source.series, sop=source.sop, sop_class=source.sop_class)
    return mark._replace(first_seen=mark.first_seen or (now if prior is None else prior.first_seen))


def _marked(study: str, mark: FileMark) -> dict[str, Any]:
    return {
        **_place(mark.folder_id, mark.stamp),
        "study": study,
        "series": mark.series,
        "sop": mark.sop,
        "sop_class": mark.sop_class,
        "digest": mark.sha256,
        "state": mark.state,
        "first_seen": mark.first_seen,
    }


def _place(folder_id: int, stamp: FileStamp) -> dict[str, Any]:
    return {
        "folder_id": folder_id,
        "key": keyed(stamp.name),
        "name": stamp.name,
        "size": stamp.size,
        "mtime_ns": stamp.mtime_ns,
        "ctime_ns": stamp.ctime_ns,
    }


def _write(conn: Connection, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    statement = upsert(conn, tables.san_file)
    values = {name: statement.excluded[name] for name in rows[0] if name not in ("folder_id", "key", "name")}
    conn.execute(statement.on_conflict_do_update(index_elements=["folder_id", "key"], set_=values), rows)


def _file(row: Row[Any]) -> SanFile:
    stamp = (row.name, row.size, row.mtime_ns, row.ctime_ns)
    return SanFile(
        *stamp, row.study, row.series, row.sop, row.sop_class, row.digest, row.state, row.first_seen
    )


def _dirs(text: str) -> Dirs:
    return tuple((as_name(name), mtime_ns) for name, mtime_ns in json.loads(text))
