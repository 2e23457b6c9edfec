"""What was set aside, and why: nothing is lost by it, and a person decides.

The same file (folder, name, stamp) is set aside for the same reason once. Accepted stays accepted when a step is repeated; after
a release the file is read again, and what is still wrong with it then opens a new entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, Select, insert, select, update

from sdfo.catalog import san, tables
from sdfo.catalog.journal import Line, as_name, as_text, stamped
from sdfo.errors import Conflict, NotFound
from sdfo.model import FileStamp

Decision = Literal["accepted", "released", "archived"]
CLOSED = ("accepted", "released", "archived")
"""The first two are a person's; `archived` closes what was set aside because it could not be archived that night."""

PART = "part"
"""The kind of an entry for a part that the verifier refused."""

UNARCHIVED = ("unreadable", "changed", PART)
"""Kinds of entry about what was not archived: a later night that archives it closes them."""

CONFLICT = "conflict"
"""The reason of an entry for two things that claim one place: one UID, or one path."""

_ENTRY = tables.quarantine.c


@dataclass(frozen=True, slots=True)
class QuarantineRow:
    """`name` is empty where a whole folder's exam was set aside; `ordinal` is the file's place in its part, or listing."""

    id: int
    run: str
    study: str | None
    folder_id: int | None
    name: bytes
    ordinal: int | None
    reason: str
    kind: str | None
    opened: datetime
    state: str
    folder: bytes | None
    closed: datetime | None


@dataclass(frozen=True, slots=True)
class QuarantineNote:
    """What to set aside. `reason` is a short word or sentence without any name of the SAN in it."""

    reason: str
    name: bytes = b""
    ordinal: int | None = None
    kind: str | None = None
    stamp: FileStamp | None = None


def entries(conn: Connection, state: str | None) -> list[QuarantineRow]:
    """All in this state (None: in any), oldest first."""
    query = _joined().order_by(_ENTRY.id)
    rows = conn.execute(query if state is None else query.where(_ENTRY.state == state))
    return [_entry(row) for row in rows]


def open_entry(
    conn: Connection, run: str, study: str | None, folder_id: int | None, note: QuarantineNote, now: datetime
) -> tuple[int, Line | None]:
    """The id of the entry, and the journal's line if it is new."""
    found = find(conn, study, folder_id, note, ("open", "accepted"))
    if found is not None:
        return found, None
    values = {
        "run": run,
        "study": study,
        "folder_id": folder_id,
        "name": note.name,
        "ordinal": note.ordinal,
        "reason": note.reason,
        "kind": note.kind,
        "opened": now,
        "state": "open",
        **_stamp(note.stamp),
    }
    new = conn.execute(insert(tables.quarantine).values(values).returning(_ENTRY.id)).scalar_one()
    return int(new), _line(conn, "quarantine", int(new))


def resolve(conn: Connection, entry_id: int, decision: str, now: datetime) -> Line | None:
    """Close an entry. Deciding the same again changes nothing; a decision made is not turned round."""
    row = conn.execute(select(_ENTRY.state, _ENTRY.folder_id, _ENTRY.name).where(_ENTRY.id == entry_id)).one_or_none()
    if row is None:
        raise NotFound("no such quarantine entry", found=entry_id, next_command="sdfo quarantine")
    if row.state == decision:
        return None
    if row.state != "open":
        raise Conflict("this entry was decided", expected="open", found=row.state)
    line = _line(conn, "decision", entry_id) | {"decision": decision, "decided": stamped(now)}
    conn.execute(update(tables.quarantine).where(_ENTRY.id == entry_id).values(state=decision, closed=now))
    if decision == "released" and row.folder_id is not None:
        san.reopen_file(conn, row.folder_id, row.name)
    return line


def close_archived(conn: Connection, study: str, files: set[tuple[int, bytes]], now: datetime) -> list[Line]:
    """Close what was open about files (folder, name) of this study that are archived now; the journal's lines."""
    entry = (_ENTRY.id, _ENTRY.folder_id, _ENTRY.name, _ENTRY.kind, _ENTRY.study)
    folders = {folder_id for folder_id, _ in files}
    wanted = (_ENTRY.state == "open", _ENTRY.kind.in_(UNARCHIVED), _ENTRY.folder_id.in_(folders))
    lines = [
        resolve(conn, row.id, "archived", now)
        for row in conn.execute(select(*entry).where(*wanted)).all()
        if (row.folder_id, row.name) in files or (row.kind == PART and row.study == study)
    ]
    return [line for line in lines if line is not None]


def find(
    conn: Connection,
    study: str | None,
    folder_id: int | None,
    note: QuarantineNote,
    states: Sequence[str],
    opened: datetime | None = None,
) -> int | None:
    """The entry of this file, or of this exam where the note names no file, in one of these states; if given, opened then."""
    same = [_ENTRY.folder_id.is_not_distinct_from(folder_id), _ENTRY.name == note.name, _ENTRY.reason == note.reason]
    same += [_ENTRY[column].is_not_distinct_from(value) for column, value in _stamp(note.stamp).items()]
    if not note.name:
        same.append(_ENTRY.study.is_not_distinct_from(study))
    if opened is not None:
        same.append(_ENTRY.opened == opened)
    found = conn.execute(select(_ENTRY.id).where(*same, _ENTRY.state.in_(states))).scalar()
    return None if found is None else int(found)


def note_of(line: Line) -> QuarantineNote:
    """What a journal's line was written about."""
    name = as_name(line["name"])
    stamp = None if line["stamp"] is None else FileStamp(name, *line["stamp"])
    return QuarantineNote(line["reason"], name, line["ordinal"], line["kind"], stamp)


def _line(conn: Connection, what: str, entry_id: int) -> Line:
    row = conn.execute(_joined().where(_ENTRY.id == entry_id)).one()
    return {
        "what": what,
        "run": row.run,
        "study": row.study,
        "folder": None if row.path is None else as_text(row.path),
        "name": as_text(row.name),
        "ordinal": row.ordinal,
        "reason": row.reason,
        "kind": row.kind,
        "stamp": None if row.size is None else [row.size, row.mtime_ns, row.ctime_ns],
        "at": stamped(row.opened),
    }


def _joined() -> Select[Any]:
    return select(tables.quarantine, tables.san_folder.c.path).outerjoin_from(tables.quarantine, tables.san_folder)


def _stamp(stamp: FileStamp | None) -> dict[str, int | None]:
    if stamp is None:
        return {"size": None, "mtime_ns": None, "ctime_ns": None}
    return {"size": stamp.size, "mtime_ns": stamp.mtime_ns, "ctime_ns": stamp.ctime_ns}


def _entry(row: Row[Any]) -> QuarantineRow:
    about = (row.id, row.run, row.study, row.folder_id, row.name, row.ordinal, row.reason, row.kind)
    return QuarantineRow(*about, row.opened, row.state, row.path, row.closed)
