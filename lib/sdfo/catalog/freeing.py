"""What the gate asks the catalog, and what became of files that went from the SAN.

A file that was moved aside is `freed`; its row in `expired` says since when it lies in its days of grace, and what it must
still be there when it is removed for good. The marks of the gate are what the catalog says of itself: they are in no journal.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, func, or_, select, update

from sdfo.catalog import availability, copies, holds, san, tables
from sdfo.catalog.copies import CopyRow
from sdfo.catalog.engine import upsert
from sdfo.catalog.journal import Line, as_name, as_text, moment, stamped

SHUT, CLOCK = "shut", "clock"
"""Marks of the gate: that the catalog was rebuilt, and what the clock said last."""

APART = timedelta(hours=1)
"""How far two clocks may be apart. What is further ahead was written by one that was wrong, and says nothing."""

HELD = ("archived", "alias")
"""States of a SAN file whose bytes the archive holds."""

_FILE, _FOLDER, _EXPIRED = tables.san_file.c, tables.san_folder.c, tables.expired.c
_PART, _RECORD, _ENTRY, _GATE = tables.part.c, tables.instance.c, tables.quarantine.c, tables.gate.c


@dataclass(frozen=True, slots=True)
class OldFolder:
    """An exam folder with archived files that were first seen before a moment: how many, and their bytes."""

    id: int
    path: bytes
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class ExamFacts:
    """What the catalog knows of an exam. `holding`: by SHA-256, the parts that hold it. `newest`: when its newest file was
    first seen, on whatever SAN; None if none was."""

    study: str
    date: str
    modalities: tuple[str, ...]
    newest: datetime | None
    holds: tuple[int, ...]
    entries: int
    copies: dict[int, tuple[CopyRow, ...]]
    holding: dict[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Freed:
    """A file that was moved aside. `path` is the folder's, `name` the file's in it."""

    folder: bytes
    name: bytes
    size: int
    sha256: str
    study: str
    first_seen: datetime | None


@dataclass(frozen=True, slots=True)
class InGrace:
    """A file that the catalog knows in its days of grace."""

    run: str
    folder_id: int
    file: Freed
    since: datetime


def old_folders(conn: Connection, before: datetime) -> list[OldFolder]:
    """Those whose files came first come first."""
    old = and_(_FILE.state.in_(HELD), _FILE.first_seen < before)
    query = select(_FOLDER.id, _FOLDER.path, func.count(), func.sum(_FILE.size))
    query = query.join_from(tables.san_folder, tables.san_file).where(_FOLDER.state != "freed", old)
    rows = conn.execute(query.group_by(_FOLDER.id, _FOLDER.path).order_by(func.min(_FILE.first_seen), _FOLDER.id))
    return [OldFolder(row[0], row[1], row[2], int(row[3])) for row in rows]


def on_san(conn: Connection) -> tuple[int, int]:
    """Archived files that the SAN still has, and their bytes."""
    query = select(func.count(), func.coalesce(func.sum(_FILE.size), 0))
    query = query.select_from(tables.san_folder.join(tables.san_file))
    row = conn.execute(query.where(_FOLDER.state != "freed", _FILE.state.in_(HELD))).one()
    return row[0], int(row[1])


def exams(conn: Connection, studies: Iterable[str], folder_id: int | None) -> dict[str, ExamFacts]:
    """By study. Quarantine entries count that are about it, or about this folder or another with files of it."""
    wanted = sorted(set(studies))
    held = holds.on(conn, wanted)
    return {study: _exam(conn, study, held.get(study, ()), folder_id) for study in wanted}


def _exam(conn: Connection, study: str, held: tuple[int, ...], folder_id: int | None) -> ExamFacts:
    row, series = tables.study.c, tables.series.c
    date = conn.execute(select(row.date).where(row.uid == study)).scalar() or ""
    modalities = conn.execute(select(series.modality).distinct().where(series.study == study, series.modality != ""))
    newest = conn.execute(select(func.max(_FILE.first_seen)).where(_FILE.study == study)).scalar()
    holding: dict[str, list[int]] = defaultdict(list)
    records = select(_RECORD.sha256, _RECORD.part_id).join_from(tables.part, tables.instance)
    for sha256, part_id in conn.execute(records.where(_PART.study == study).order_by(_RECORD.part_id)):
        holding[sha256].append(part_id)
    parts = conn.execute(select(_PART.id).where(_PART.study == study)).scalars().all()
    return ExamFacts(
        study=study,
        date=date,
        modalities=tuple(sorted(modalities.scalars())),
        newest=newest,
        holds=held,
        entries=open_entries(conn, study, folder_id),
        copies={part_id: tuple(copies.copies(conn, part_id)) for part_id in parts},
        holding={sha256: tuple(part_ids) for sha256, part_ids in holding.items()},
    )


def open_entries(conn: Connection, study: str, folder_id: int | None) -> int:
    """Open quarantine entries on an exam: those of the study, of the folder, and of every folder that has files of the study:
    of what cannot be read nobody knows the study."""
    others = select(_FILE.folder_id).where(_FILE.study == study)
    about: list[ColumnElement[bool]] = [_ENTRY.study == study, _ENTRY.folder_id.in_(others)]
    about += [] if folder_id is None else [_ENTRY.folder_id == folder_id]
    return conn.execute(select(func.count()).where(_ENTRY.state == "open", or_(*about))).scalar_one()


def free(conn: Connection, run: str, files: Sequence[Freed], emptied: Iterable[bytes], now: datetime) -> Line:
    """These lie aside now, and these folders are gone; the journal's line."""
    line = {
        "what": "freed",
        "run": run,
        "at": stamped(now),
        "files": [
            [as_text(f.folder), as_text(f.name), f.size, f.sha256, f.study, stamped(f.first_seen)] for f in files
        ],
        "emptied": [as_text(path) for path in emptied],
    }
    keep(conn, line)
    return line


def keep(conn: Connection, line: Line) -> None:
    """What a line says of files that were moved aside."""
    run, at = line["run"], moment(line["at"])
    studies = set[str]()
    for folder, name, size, sha256, study, first_seen in line["files"]:
        folder_id, name = san.ensure_folder(conn, as_name(folder)), as_name(name)
        this = (_FILE.folder_id == folder_id, _FILE.key == san.keyed(name), _FILE.digest == sha256)
        conn.execute(update(tables.san_file).where(*this).values(state="freed"))
        values = {
            "name": name,
            "size": size,
            "digest": sha256,
            "study": study,
            "first_seen": moment(first_seen),
            "at": at,
        }
        statement = upsert(conn, tables.expired).values(run=run, folder_id=folder_id, key=san.keyed(name), **values)
        conn.execute(statement.on_conflict_do_nothing(index_elements=["run", "folder_id", "key"]))
        studies.add(study)
    san.set_folder_state(conn, [san.ensure_folder(conn, as_name(path)) for path in line["emptied"]], "freed")
    availability.refresh(conn, sorted(studies))


def in_grace(conn: Connection) -> list[InGrace]:
    query = select(tables.expired, _FOLDER.path).join_from(tables.expired, tables.san_folder)
    return [
        InGrace(
            row.run, row.folder_id, Freed(row.path, row.name, row.size, row.digest, row.study, row.first_seen), row.at
        )
        for row in conn.execute(query.order_by(_EXPIRED.at, _EXPIRED.run, _EXPIRED.folder_id, _EXPIRED.key))
    ]


def forget(conn: Connection, gone: Sequence[tuple[str, bytes, bytes]]) -> Line:
    """Files (run, folder, name) that lie aside no more, removed or put back; the journal's line."""
    line = {"what": "gone", "files": [[run, as_text(folder), as_text(name)] for run, folder, name in gone]}
    drop(conn, line)
    return line


def drop(conn: Connection, line: Line) -> None:
    for run, folder, name in line["files"]:
        folder_id = san.ensure_folder(conn, as_name(folder))
        this = (_EXPIRED.run == run, _EXPIRED.folder_id == folder_id, _EXPIRED.key == san.keyed(as_name(name)))
        conn.execute(delete(tables.expired).where(*this))


def known(conn: Connection, folder: bytes, name: bytes) -> Freed | None:
    """What the catalog says of a file at this place, archived or freed; None if it was never archived."""
    this = (_FOLDER.path == folder, _FILE.key == san.keyed(name), _FILE.digest.is_not(None), _FILE.state != "new")
    row = conn.execute(select(tables.san_file).join_from(tables.san_folder, tables.san_file).where(*this)).one_or_none()
    return None if row is None else Freed(folder, name, row.size, row.digest, row.study or "", row.first_seen)


def marks(conn: Connection) -> dict[str, tuple[datetime, dict[str, Any]]]:
    """By name: when it was made, and what it says."""
    return {row.name: (row.at, json.loads(row.value)) for row in conn.execute(select(tables.gate))}


def mark(conn: Connection, name: str, value: Mapping[str, Any], now: datetime) -> None:
    values = {"value": json.dumps(value), "at": now}
    statement = upsert(conn, tables.gate).values(name=name, **values)
    conn.execute(statement.on_conflict_do_update(index_elements=["name"], set_=values))


def unmark(conn: Connection, name: str) -> None:
    conn.execute(delete(tables.gate).where(_GATE.name == name))


def shut(conn: Connection, now: datetime) -> None:
    """The catalog is built again from files: nothing is removed until a person has looked. Holds that it had are remembered:
    of a rebuild that was interrupted, those that were there before the first."""
    if SHUT not in marks(conn):
        before = [
            {"id": hold.id, "of": hold.kind, "whom": hold.subjects, "reason": hold.reason} for hold in holds.holds(conn)
        ]
        mark(conn, SHUT, {"holds": before}, now)
