"""Tape volumes: what became of each, and with it of the copies on it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, select, update

from sdfo.catalog import availability, copies, tables
from sdfo.catalog.copies import CopyRow, PartRow
from sdfo.catalog.engine import upsert
from sdfo.catalog.journal import Line, moment, stamped
from sdfo.errors import NotFound
from sdfo.model import Tier

_VOLUME, _COPY, _PART = tables.volume.c, tables.copy.c, tables.part.c

SEALED, READY, WRITTEN, VERIFIED, DAMAGED = "sealed", "ready", "written", "verified", "damaged"

_BEFORE = {WRITTEN: ("staged",), VERIFIED: ("staged", "written")}
"""When a volume comes to this state, which copies on it come to it too."""


@dataclass(frozen=True, slots=True)
class VolumeRow:
    """`state`: sealed, ready for the tape system, `written` by its receipt, `verified` by a digest read back; or damaged.

    `sha256` of the tar. `barcode` and `position` are the tape system's own words; `written`: when its receipt was taken.
    """

    name: str
    state: str
    size: int
    sha256: str
    files: int
    created: datetime
    barcode: str = ""
    position: str = ""
    written: datetime | None = None


def put(conn: Connection, row: VolumeRow, now: datetime, why: str | None = None) -> Line:
    """Keep a volume as it is now, and bring the copies on it to its state. One that is damaged has no whole copy."""
    values = asdict(row)
    statement = upsert(conn, tables.volume).values(values)
    conn.execute(statement.on_conflict_do_update(index_elements=["name"], set_=values))
    if row.state == DAMAGED:
        for part, copy in on(conn, row.name):
            if copy.state not in ("damaged", "retired"):
                copies.mark(conn, part.id, Tier.TAPE, "damaged", now, why)
    elif row.state in _BEFORE:
        _bring(conn, row, now)
    times = {"created": stamped(row.created), "written": stamped(row.written)}
    return {"what": "volume", "at": stamped(now), "why": why} | values | times


def _bring(conn: Connection, row: VolumeRow, now: datetime) -> None:
    these = (*_is_on(row.name), _COPY.state.in_(_BEFORE[row.state]))
    studies = select(_PART.study).join_from(tables.copy, tables.part).where(*these).distinct()
    found = list(conn.execute(studies).scalars())
    at = {"verified_at": now} if row.state == VERIFIED else {}
    conn.execute(update(tables.copy).where(*these).values({"state": row.state} | at))
    availability.refresh(conn, found)


def of(line: Line) -> VolumeRow:
    """The volume that a journal's line tells of."""
    own = {name: line[name] for name in ("name", "state", "size", "sha256", "files", "barcode", "position")}
    return VolumeRow(**own, created=datetime.fromisoformat(line["created"]), written=moment(line["written"]))


def volume(conn: Connection, name: str) -> VolumeRow:
    row = conn.execute(select(tables.volume).where(_VOLUME.name == name)).one_or_none()
    if row is None:
        raise NotFound("no such volume", path=name, next_command="sdfo tape ls")
    return VolumeRow(**row._asdict())


def volumes(conn: Connection, states: Sequence[str] | None) -> list[VolumeRow]:
    """In these states, or in any (None), oldest first."""
    query = select(tables.volume).order_by(_VOLUME.created, _VOLUME.name)
    rows = conn.execute(query if states is None else query.where(_VOLUME.state.in_(states)))
    return [VolumeRow(**row._asdict()) for row in rows]


def on(conn: Connection, name: str) -> list[tuple[PartRow, CopyRow]]:
    """The copies on a volume, and their parts, by path."""
    columns: tuple[Any, ...] = (_PART.study, _PART.ordinal, _PART.check.label("own"), _PART.first_record, _PART.folder)
    query = select(tables.copy, *columns).join_from(tables.copy, tables.part)
    return [copies.of_part(row) for row in conn.execute(query.where(*_is_on(name)).order_by(_COPY.path))]


def look_again(conn: Connection, names: Iterable[str]) -> None:
    """These volumes came back to the staging area, or went from it: how near is what lies on them?"""
    studies = {part.study for name in names for part, _ in on(conn, name)}
    availability.refresh(conn, sorted(studies))


def _is_on(name: str) -> tuple[ColumnElement[bool], ...]:
    """Paths below `<name>/`, by the index of paths: `0` comes after `/`."""
    return _COPY.tier == str(Tier.TAPE), _COPY.path >= f"{name}/", _COPY.path < f"{name}0"
