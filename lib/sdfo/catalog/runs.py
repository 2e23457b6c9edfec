"""What each run did: its steps, when, how they ended, and what they reported."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from sdfo.catalog import tables
from sdfo.catalog.engine import upsert
from sdfo.catalog.journal import Line, stamped

REPORT = "report"
"""The step that closes a night; a night is good when its report says `ok`."""

_RUN, _OUTCOME = tables.run.c, tables.outcome.c


@dataclass(frozen=True, slots=True)
class RunRow:
    run: str
    engine: str
    started: datetime


@dataclass(frozen=True, slots=True)
class StepRow:
    """How a step of a run stands: `started`, `done`, `failed`, or `postponed` (it waits for what its report says).

    `ended` is None while it is at work, or was killed.
    """

    step: str
    state: str
    started: datetime
    ended: datetime | None
    report: dict[str, Any]


def start(conn: Connection, run: str, engine: str, now: datetime) -> None:
    """A run that is there keeps the time it started."""
    statement = upsert(conn, tables.run).values(id=run, engine=engine, started=now)
    conn.execute(statement.on_conflict_do_update(index_elements=["id"], set_={"engine": engine}))


def note(conn: Connection, run: str, step: str, state: str, report: dict[str, Any], now: datetime) -> Line | None:
    """Keep how the step stands; a step that begins again replaces what it left. The journal's line once it is over: one that
    is postponed is to go on, and what it waits for may be the journal's own store."""
    began = now
    if state != "started":
        prior = select(_OUTCOME.started).where(_OUTCOME.run == run, _OUTCOME.step == step)
        began = conn.execute(prior).scalar() or now
    ended = None if state == "started" else now
    put(conn, run, StepRow(step, state, began, ended, report))
    if state not in ("done", "failed"):
        return None
    of_run = conn.execute(select(tables.run).where(_RUN.id == run)).one()
    return {
        "what": "outcome",
        "run": run,
        "engine": of_run.engine,
        "run_started": stamped(of_run.started),
        "step": step,
        "state": state,
        "started": stamped(began),
        "ended": stamped(ended),
        "report": report,
    }


def put(conn: Connection, run: str, row: StepRow) -> None:
    values = {
        "run": run,
        "step": row.step,
        "state": row.state,
        "good": row.state == "done" and row.report.get("ok") is True,
        "started": row.started,
        "ended": row.ended,
        "report": json.dumps(row.report),
    }
    statement = upsert(conn, tables.outcome).values(values)
    conn.execute(statement.on_conflict_do_update(index_elements=["run", "step"], set_=values))


def steps(conn: Connection, run: str) -> dict[str, StepRow]:
    """In the order in which they started."""
    rows = conn.execute(select(tables.outcome).where(_OUTCOME.run == run).order_by(_OUTCOME.started, _OUTCOME.step))
    return {row.step: StepRow(row.step, row.state, row.started, row.ended, json.loads(row.report)) for row in rows}


BESIDE = (
    "backup",
    "restore",
    "derive",
    "stage",
    "catalog-backup",
    "expire",
    "expire-hdfs",
    "expire-nearline",
    "scrub",
    "drill",
)
"""Steps that are not of a night. A run that did no other is none."""


def last(
    conn: Connection, step: str, state: str | None = None, until: datetime | None = None
) -> tuple[str, StepRow] | None:
    """The run that began this step last, and how it stands there; only those in `state`, and begun by then, if given."""
    wanted = [_OUTCOME.step == step, *([] if state is None else [_OUTCOME.state == state])]
    wanted += [] if until is None else [_OUTCOME.started <= until]
    row = conn.execute(select(tables.outcome).where(*wanted).order_by(_OUTCOME.started.desc()).limit(1)).one_or_none()
    if row is None:
        return None
    return row.run, StepRow(row.step, row.state, row.started, row.ended, json.loads(row.report))


def last_ended(conn: Connection, step: str, until: datetime | None = None) -> StepRow | None:
    """How this step ended last, by then if given: done or failed, not what a kill left or what waits."""
    wanted = [_OUTCOME.step == step, _OUTCOME.state.in_(("done", "failed"))]
    wanted += [] if until is None else [_OUTCOME.ended <= until]
    row = conn.execute(select(tables.outcome).where(*wanted).order_by(_OUTCOME.ended.desc()).limit(1)).one_or_none()
    return None if row is None else StepRow(row.step, row.state, row.started, row.ended, json.loads(row.report))


def newest(conn: Connection, limit: int) -> list[RunRow]:
    steps = select(_OUTCOME.step).where(_OUTCOME.run == _RUN.id)
    nights = select(tables.run).where(steps.where(_OUTCOME.step.not_in(BESIDE)).exists() | ~steps.exists())
    rows = conn.execute(nights.order_by(_RUN.started.desc(), _RUN.id.desc()).limit(limit))
    return [RunRow(row.id, row.engine, row.started) for row in rows]


def last_good_night(conn: Connection) -> datetime | None:
    """When the newest night ended whose report is `ok`."""
    good = (_OUTCOME.step == REPORT, _OUTCOME.good)
    ended: datetime | None = conn.execute(select(func.max(_OUTCOME.ended)).where(*good)).scalar()
    return ended
