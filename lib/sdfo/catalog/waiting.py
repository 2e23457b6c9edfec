"""The queues: parts that wait for a copy on near-line, and on tape.

A part enters it in the transaction that publishes it, or that finds its copy damaged, and leaves it in the one that enters
a verified copy: what is not backed up is here, always. One that was set aside stays, and is not tried until it is released.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, and_, cast, delete, func, select, update

from sdfo.catalog import quarantine, tables
from sdfo.catalog.engine import upsert
from sdfo.catalog.journal import Line
from sdfo.errors import Conflict
from sdfo.model import Tier

BACKUP = "backup"
"""The kind of a quarantine entry for a part that could not be backed up; its `ordinal` is the part's."""

STAGE = "stage"
"""The same for one that could not be staged for tape."""

NEARLINE, TAPE = str(Tier.NEARLINE), str(Tier.TAPE)
WORKS = {NEARLINE: BACKUP, TAPE: STAGE}
"""The tier on which a copy is wanted → the kind of a quarantine entry for a part that cannot have it."""

_QUEUE, _PART, _COPY, _RECORD = tables.queue.c, tables.part.c, tables.copy.c, tables.instance.c
_ENTRY, _SERIES = tables.quarantine.c, tables.series.c


@dataclass(frozen=True, slots=True)
class Waiting:
    """A part that waits: where it lies on HDFS, its bytes with those of the files beside it, and why the last try failed."""

    part_id: int
    study: str
    ordinal: int
    check: str
    path: str
    size: int
    since: datetime
    tries: int
    reason: str | None


@dataclass(frozen=True, slots=True)
class Queue:
    """How much waits. `bytes` are those of the S-DICOM files, without what lies beside them. `aside`: parts that were
    set aside and are not counted; `failed`: those of `parts` that were tried."""

    parts: int
    bytes: int
    oldest: datetime | None
    failed: int
    aside: int


def put(conn: Connection, part_id: int, now: datetime, reason: str | None = None, work: str = NEARLINE) -> None:
    """One that waits already keeps its place."""
    row = {"part_id": part_id, "work": work, "since": now, "tries": 0, "reason": reason}
    conn.execute(upsert(conn, tables.queue).values(row).on_conflict_do_nothing(index_elements=["part_id", "work"]))


def done(conn: Connection, part_id: int, now: datetime, work: str = NEARLINE) -> None:
    """It has its copy: it waits no longer, and nobody need look why it failed. The copy's own line tells a rebuild both."""
    conn.execute(delete(tables.queue).where(_QUEUE.part_id == part_id, _QUEUE.work == work))
    _close(conn, part_id, work, "archived", now)


def mended(conn: Connection, part_id: int, now: datetime) -> None:
    """What copies are made from is whole again: all may be tried. The source's own line tells a rebuild so."""
    for work in WORKS:
        _close(conn, part_id, work, "released", now)


def refuse_to_accept(conn: Connection, entry_id: int) -> None:
    """`Conflict` for an entry of a part without a copy: a decision is not turned round, and it would never be tried again."""
    kind = conn.execute(select(_ENTRY.kind).where(_ENTRY.id == entry_id)).scalar()
    for work, kind_of_work in WORKS.items():
        if kind == kind_of_work:
            raise Conflict(
                f"a part without a copy on {work} cannot be accepted",
                next_command=f"sdfo quarantine release {entry_id}",
            )


def _close(conn: Connection, part_id: int, work: str, decision: str, now: datetime) -> None:
    entries = select(_ENTRY.id).join_from(tables.quarantine, tables.part, _about(work)).where(_PART.id == part_id)
    for entry in conn.execute(entries.where(_ENTRY.state == "open")).scalars().all():
        quarantine.resolve(conn, entry, decision, now)


def failed(conn: Connection, part_id: int, reason: str, work: str = NEARLINE) -> tuple[int, Line | None]:
    """Count a try that came to nothing; how many did so far, and the journal's line. 0 if it does not wait any more."""
    row = conn.execute(
        select(_QUEUE.tries, _PART.study, _PART.check)
        .join_from(tables.queue, tables.part)
        .where(_PART.id == part_id, _QUEUE.work == work)
    ).one_or_none()
    if row is None:
        return 0, None
    tries = row.tries + 1
    tried(conn, part_id, tries, reason, work)
    line = {"what": "queue", "study": row.study, "check": row.check, "work": work, "tries": tries, "reason": reason}
    return tries, line


def tried(conn: Connection, part_id: int, tries: int, reason: str, work: str = NEARLINE) -> None:
    this = (_QUEUE.part_id == part_id, _QUEUE.work == work)
    conn.execute(update(tables.queue).where(*this).values(tries=tries, reason=reason))


def waiting(conn: Connection, most: int, work: str = NEARLINE) -> list[Waiting]:
    """So many of those that may be tried, oldest first; those that failed come after all that were never tried."""
    apart = select(cast(func.coalesce(func.sum(_RECORD.length), 0), BigInteger))  # PostgreSQL adds up to a Decimal
    apart = apart.where(_RECORD.part_id == _PART.id, _RECORD.path.is_not(None))
    query = select(
        _PART.id,
        _PART.study,
        _PART.ordinal,
        _PART.check,
        _COPY.path,
        (_COPY.size + apart.scalar_subquery()).label("size"),
        _QUEUE.since,
        _QUEUE.tries,
        _QUEUE.reason,
    ).select_from(_with_source(work))
    rows = conn.execute(
        query.where(~_is_aside(work)).order_by(_QUEUE.tries, _QUEUE.since, _PART.study, _PART.ordinal).limit(most)
    )
    return [Waiting(*row) for row in rows]


def queue(conn: Connection, work: str = NEARLINE) -> Queue:
    size = func.coalesce(func.sum(_COPY.size), 0)
    columns = (func.count(), size, func.min(_QUEUE.since), func.count().filter(_QUEUE.tries > 0))
    parts, size_of_all, oldest, failures = conn.execute(
        select(*columns).select_from(_with_source(work)).where(~_is_aside(work))
    ).one()
    aside = conn.execute(select(func.count()).select_from(_with_source(work)).where(_is_aside(work))).scalar_one()
    return Queue(parts, int(size_of_all), oldest, failures, aside)


def modalities(conn: Connection, part_ids: Iterable[int]) -> dict[int, str]:
    """The modality of most images of each part; of parts without any none is given."""
    count = func.count()
    query = select(_RECORD.part_id, _SERIES.modality, count).join_from(tables.instance, tables.series)
    query = query.where(_RECORD.part_id.in_(list(part_ids)), _SERIES.modality != "")
    rows = conn.execute(query.group_by(_RECORD.part_id, _SERIES.modality).order_by(count, _SERIES.modality.desc()))
    return {part_id: modality for part_id, modality, _ in rows}  # of several the last one stays, which has most


def _with_source(work: str) -> Any:
    """Parts that wait, with the copy that theirs is to be made from; what was freed from HDFS goes to tape from near-line."""
    here = and_(_COPY.part_id == _PART.id, _COPY.tier == str(Tier.HDFS))
    there = here if work == TAPE else and_(here, _COPY.state != "retired")
    waits = and_(_QUEUE.part_id == _PART.id, _QUEUE.work == work)
    return tables.queue.join(tables.part, waits).join(tables.copy, there)


def _about(work: str) -> ColumnElement[bool]:
    """An entry and the part that it is about."""
    return and_(_ENTRY.kind == WORKS[work], _ENTRY.study == _PART.study, _ENTRY.ordinal == _PART.ordinal)


def _is_aside(work: str) -> ColumnElement[bool]:
    return select(_ENTRY.id).where(_about(work), _ENTRY.state.in_(("open", "accepted"))).correlate(tables.part).exists()
