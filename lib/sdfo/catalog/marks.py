"""SAN files that are safe: as a record, or as an alias of a record, another name under which the same bytes lay."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from sdfo.catalog import san, tables
from sdfo.catalog.engine import upsert
from sdfo.catalog.entries import FileMark, InstanceEntry
from sdfo.catalog.journal import Line, as_text, stamped

_NOTHING: Mapping[bytes, str] = {}
_PART, _RECORD = tables.part.c, tables.instance.c


@dataclass(frozen=True, slots=True)
class Alias:
    """Another name, in this folder or another, under which a file lay whose bytes the study holds once."""

    folder: bytes
    name: bytes
    sha256: str


def add_aliases(conn: Connection, run: str, study: str, files: Sequence[FileMark], now: datetime) -> Line:
    """Aliases without a part of their own; the journal's line."""
    marks = mark_files(conn, study, files, {}, now)
    return {"what": "alias", "run": run, "study": study, "at": stamped(now), "files": file_lines(conn, marks)}


def aliases(conn: Connection, study: str) -> list[Alias]:
    """By folder and name."""
    row = tables.alias.c
    query = select(tables.san_folder.c.path, row.name, row.sha256).join_from(tables.alias, tables.san_folder)
    found = conn.execute(query.where(row.study == study).order_by(tables.san_folder.c.path, row.name, row.sha256))
    return [Alias(*each) for each in found]


def mark_files(
    conn: Connection, study: str, marks: Sequence[FileMark], known: Mapping[str, InstanceEntry], now: datetime
) -> list[FileMark]:
    """Mark files as archived in `study`; the marks as kept, with their first_seen, for the journal.

    `known`: records by SHA-256. A file that has changed since, or was freed, keeps its row: the mark is of what lay there
    then. Only a mark of the journal, which brings `first_seen`, replaces it: marks are replayed in their order.
    """
    there = san.rows(conn, {mark[0] for mark in marks})
    kept, changed = [], []
    for mark in _without_selves(conn, study, [FileMark(*mark) for mark in marks]):
        prior = there.get((mark.folder_id, san.keyed(mark.stamp.name)))
        full = _completed(mark, known.get(mark.sha256), prior, now)
        kept.append(full)
        replayed = mark.first_seen is not None
        if prior is None or replayed or (san.same(prior, mark.stamp) and prior.state != "freed"):
            changed.append(_file_row(study, full))
    san.write(conn, changed)
    renamed = [_alias_row(study, mark) for mark in kept if mark.state == "alias"]
    if renamed:
        conn.execute(upsert(conn, tables.alias).on_conflict_do_nothing(), renamed)
    return kept


def file_lines(
    conn: Connection, marks: Sequence[FileMark], folder: bytes = b"", own: Mapping[bytes, str] = _NOTHING
) -> dict[str, list[list[Any]]]:
    """Marks for the journal, by folder. What the records (`own`: SHA-256 by name) of the part of `folder` say is left to them."""
    paths = san.folder_paths(conn, {mark.folder_id for mark in marks})
    lines: dict[str, list[list[Any]]] = defaultdict(list)
    for mark in marks:
        stamp, path = mark.stamp, paths[mark.folder_id]
        line = [as_text(stamp.name), stamp.size, stamp.mtime_ns, stamp.ctime_ns, stamped(mark.first_seen)]
        if mark.state != "archived" or path != folder or own.get(stamp.name) != mark.sha256:
            line += [mark.state, mark.sha256, mark.series, mark.sop, mark.sop_class]
        lines[as_text(path)].append(line)
    return lines


def _without_selves(conn: Connection, study: str, marks: list[FileMark]) -> list[FileMark]:
    """A file that was touched, and so read again, is found to be held: by its own record. It is no alias."""
    if all(mark.state != "alias" for mark in marks):
        return marks
    held = select(_PART.folder, _RECORD.name, _RECORD.sha256).join_from(tables.part, tables.instance)
    records = {tuple(row) for row in conn.execute(held.where(_PART.study == study))}
    paths = san.folder_paths(conn, {mark.folder_id for mark in marks})
    own = [(paths[mark.folder_id], mark.stamp.name, mark.sha256) in records for mark in marks]
    return [mark._replace(state="archived") if mine else mark for mark, mine in zip(marks, own, strict=True)]


def _completed(mark: FileMark, record: InstanceEntry | None, prior: Row[Any] | None, now: datetime) -> FileMark:
    """The mark with what its record knows of the file, else the scan's row; a mark of the journal brings that itself."""
    source = record if record is not None or mark.first_seen is not None else prior
    if source is not None:
        mark = mark._replace(series=source.series, sop=source.sop, sop_class=source.sop_class)
    return mark._replace(first_seen=mark.first_seen or (now if prior is None else prior.first_seen))


def _file_row(study: str, mark: FileMark) -> dict[str, Any]:
    return {
        **san.place(mark.folder_id, mark.stamp),
        "study": study,
        "series": mark.series,
        "sop": mark.sop,
        "sop_class": mark.sop_class,
        "digest": mark.sha256,
        "state": mark.state,
        "first_seen": mark.first_seen,
    }


def _alias_row(study: str, mark: FileMark) -> dict[str, Any]:
    return {
        "folder_id": mark.folder_id,
        "key": san.keyed(mark.stamp.name),
        "sha256": mark.sha256,
        "name": mark.stamp.name,
        "study": study,
    }
