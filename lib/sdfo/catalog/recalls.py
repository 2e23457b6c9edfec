"""Recalls: who waits for which volumes, and until when these stay."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from statistics import median

from sqlalchemy import Connection, Row, func, select

from sdfo.catalog import tables
from sdfo.catalog.engine import upsert
from sdfo.catalog.journal import Line, moment, stamped
from sdfo.errors import NotFound

_RECALL = tables.recall.c

WAITING, DONE, FAILED = "waiting", "done", "failed"
MEASURED = 21
"""The newest recalls that were done, whose median tells how long the next one takes."""


@dataclass(frozen=True, slots=True)
class RecallRow:
    """`expected`: when it is thought to be done, None before there is anything to go by. `pinned`: until when it stays."""

    id: int
    uid: str
    volumes: tuple[str, ...]
    size: int
    state: str
    asked: datetime
    expected: datetime | None = None
    ended: datetime | None = None
    pinned: datetime | None = None
    reason: str | None = None


def ask(conn: Connection, uid: str, volumes: Sequence[str], size: int, now: datetime) -> tuple[RecallRow, Line | None]:
    """A new recall; or the one that waits for the same UID or for the same volumes already, and no line."""
    wanted = tuple(sorted(volumes))
    for row in recalls(conn, WAITING):
        if row.volumes == wanted:
            return row, None
    number = (conn.execute(select(func.max(_RECALL.id))).scalar() or 0) + 1
    seconds = _seconds(conn, size)
    expected = None if seconds is None else now + timedelta(seconds=seconds)
    row = RecallRow(number, uid, wanted, size, WAITING, now, expected)
    return row, put(conn, row, now)


def end(conn: Connection, number: int, state: str, now: datetime, pin_hours: float, reason: str | None) -> Line | None:
    """Nothing happens to one that ended before. What is done stays for `pin_hours`."""
    row = recall(conn, number)
    if row.state != WAITING:
        return None
    pinned = now + timedelta(hours=pin_hours) if state == DONE else None
    return put(conn, replace(row, state=state, ended=now, pinned=pinned, reason=reason), now)


def put(conn: Connection, row: RecallRow, now: datetime) -> Line:
    values = asdict(row) | {"volumes": json.dumps(row.volumes)}
    statement = upsert(conn, tables.recall).values(values)
    conn.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))
    times = {name: stamped(values[name]) for name in ("asked", "expected", "ended", "pinned")}
    return {"what": "recall", "at": stamped(now)} | values | times


def of(line: Line) -> RecallRow:
    """The recall that a journal's line tells of."""
    own = {name: line[name] for name in ("id", "uid", "size", "state", "reason")}
    return RecallRow(
        **own,
        volumes=tuple(json.loads(line["volumes"])),
        asked=datetime.fromisoformat(line["asked"]),
        expected=moment(line["expected"]),
        ended=moment(line["ended"]),
        pinned=moment(line["pinned"]),
    )


def recall(conn: Connection, number: int) -> RecallRow:
    row = conn.execute(select(tables.recall).where(_RECALL.id == number)).one_or_none()
    if row is None:
        raise NotFound(f"no recall {number}", next_command="sdfo recalls")
    return _row(row)


def recalls(conn: Connection, state: str | None, most: int | None = None) -> list[RecallRow]:
    """In this state, or in any (None), newest first."""
    query = select(tables.recall).order_by(_RECALL.id.desc()).limit(most)
    return [_row(row) for row in conn.execute(query if state is None else query.where(_RECALL.state == state))]


def pinned(conn: Connection, now: datetime) -> set[str]:
    """Volumes that somebody waits for, or that were promised to stay."""
    query = select(tables.recall).where((_RECALL.state == WAITING) | (_RECALL.pinned > now))
    return {volume for row in conn.execute(query) for volume in _row(row).volumes}


def here(conn: Connection, now: datetime) -> set[str]:
    """Volumes that came back and were promised to stay for now."""
    rows = conn.execute(select(tables.recall).where(_RECALL.state == DONE, _RECALL.pinned > now))
    return {volume for row in rows for volume in _row(row).volumes}


def _seconds(conn: Connection, size: int) -> float | None:
    """The median of what the last ones took; longer where it is of more bytes than those."""
    done = [row for row in recalls(conn, DONE, MEASURED) if row.ended is not None and row.ended > row.asked]
    if not done:
        return None
    took = median((row.ended - row.asked).total_seconds() for row in done if row.ended is not None)
    usual = median(row.size for row in done)
    return took * max(1.0, size / usual) if usual else took


def _row(row: Row[tuple[object, ...]]) -> RecallRow:
    return RecallRow(**row._asdict() | {"volumes": tuple(json.loads(row.volumes))})
