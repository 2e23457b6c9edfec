"""Parts and their copies on the tiers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from sdfo.catalog import availability, tables, waiting
from sdfo.catalog.engine import upsert
from sdfo.catalog.journal import Line, stamped
from sdfo.errors import NotFound
from sdfo.model import Form, Tier

_PART, _COPY, _RECORD = tables.part.c, tables.copy.c, tables.instance.c


@dataclass(frozen=True, slots=True)
class PartRow:
    id: int
    study: str
    ordinal: int
    check: str
    first_record: int
    folder: bytes


@dataclass(frozen=True, slots=True)
class CopyRow:
    """`state`: written → verified → damaged | retired (docs: lifecycle). `check` differs from the part's after a codec.

    On tape a copy is `staged` first: on a volume that no receipt has come of. Nobody counts on it, though it may be read.
    """

    part_id: int
    tier: Tier
    path: str
    size: int
    check: str
    codec: str
    form: Form
    state: str
    verified_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewCopy:
    """A copy that was written and verified, of the part of `study` with `check`. Its own check is `copy_check`.

    Or one that is `staged` for tape.
    """

    study: str
    check: str
    tier: Tier
    path: str
    size: int
    copy_check: str
    codec: str
    form: Form
    state: str = "verified"


def parts(conn: Connection, study: str) -> list[PartRow]:
    """In the order in which they were published."""
    rows = conn.execute(select(tables.part).where(_PART.study == study).order_by(_PART.ordinal))
    return [PartRow(row.id, row.study, row.ordinal, row.check, row.first_record, row.folder) for row in rows]


def copies(conn: Connection, part_id: int) -> list[CopyRow]:
    """Cheapest tier first."""
    rows = conn.execute(select(tables.copy).where(_COPY.part_id == part_id)).all()
    return sorted((_copy(row) for row in rows), key=lambda copy: list(Tier).index(copy.tier))


def add(conn: Connection, new: NewCopy, now: datetime) -> tuple[str | None, Line]:
    """A verified copy, in the place of the one that the part had on this tier; that one's path if it lay elsewhere.

    What waited for it waits no longer. `NotFound` if there is no such part.
    """
    part_id = conn.execute(select(_PART.id).where(_PART.study == new.study, _PART.check == new.check)).scalar()
    if part_id is None:
        raise NotFound("no such part to have a copy", expected=new.check, next_command=f"sdfo locate {new.study}")
    this = select(_COPY.path).where(_COPY.part_id == part_id, _COPY.tier == str(new.tier))
    before: str | None = conn.execute(this).scalar()
    values = {
        "path": new.path,
        "size": new.size,
        "check": new.copy_check,
        "codec": new.codec,
        "form": str(new.form),
        "state": new.state,
        "verified_at": now if new.state == "verified" else None,
    }
    statement = upsert(conn, tables.copy).values(part_id=part_id, tier=str(new.tier), **values)
    conn.execute(statement.on_conflict_do_update(index_elements=["part_id", "tier"], set_=values))
    availability.refresh(conn, [new.study])
    line = {
        "what": "copy",
        "study": new.study,
        "check": new.check,
        "tier": new.tier,
        "state": new.state,
        "at": stamped(now),
        "path": new.path,
        "size": new.size,
        "copy_check": new.copy_check,
        "codec": new.codec,
        "form": new.form,
    }
    if new.tier in waiting.WORKS:
        waiting.done(conn, part_id, now, new.tier)
    return (before if before != new.path else None), line


def mark(conn: Connection, part_id: int, tier: str, state: str, now: datetime, why: str | None = None) -> Line:
    """Keep a copy's new state; `verified` keeps the time too. `NotFound` if the part has no copy there.

    A copy on near-line or tape that is damaged, for the reason `why`, is to be made again: the part waits for it from now on.
    One that is retired stays so: who tells how it is has read it before it went, or has missed it since.
    """
    this = (_COPY.part_id == part_id, _COPY.tier == tier)
    before = conn.execute(select(_COPY.state).where(*this)).scalar()
    if before == "retired" and state in ("verified", "damaged"):
        state = before
    values: dict[str, Any] = {"state": state} | ({"verified_at": now} if state == "verified" else {})
    if conn.execute(update(tables.copy).where(*this).values(values)).rowcount == 0:
        raise NotFound(f"this part has no copy on {tier}", found=part_id)
    part = conn.execute(select(tables.part).where(_PART.id == part_id)).one()
    availability.refresh(conn, [part.study])
    if tier in waiting.WORKS and state == "damaged":
        waiting.put(conn, part_id, now, why, tier)
    elif tier in waiting.WORKS and state == "verified":
        waiting.done(conn, part_id, now, tier)
    if tier != Tier.TAPE and (before, state) == ("damaged", "verified"):
        waiting.mended(conn, part_id, now)
    return {
        "what": "copy",
        "study": part.study,
        "check": part.check,
        "tier": tier,
        "state": state,
        "at": stamped(now),
        "why": why,
    }


def page(conn: Connection, tier: str, after: int, most: int) -> list[tuple[PartRow, CopyRow]]:
    """So many copies on this tier, and their parts, by the part's id, from beyond `after`."""
    query = select(tables.copy, _PART.study, _PART.ordinal, _PART.check.label("own"), _PART.first_record, _PART.folder)
    query = query.join_from(tables.copy, tables.part).where(_COPY.tier == tier, _COPY.part_id > after)
    rows = conn.execute(query.order_by(_COPY.part_id).limit(most))
    return [of_part(row) for row in rows]


def of_part(row: Row[Any]) -> tuple[PartRow, CopyRow]:
    """A row of `copy` with its part's columns, whose check is `own`."""
    return PartRow(row.part_id, row.study, row.ordinal, row.own, row.first_record, row.folder), _copy(row)


def aparts(conn: Connection, part_id: int) -> list[str]:
    """The paths of the files kept apart beside this part, the same on every tier."""
    beside = (_RECORD.part_id == part_id, _RECORD.path.is_not(None))
    return sorted(set(conn.execute(select(_RECORD.path).where(*beside)).scalars()))


def known_paths(conn: Connection, tier: str) -> set[str]:
    """Every path on this tier that the catalog answers for: the copies, and the files kept apart beside them.

    These have the same names on every tier, whatever codec wrote the part.
    """
    known = set(conn.execute(select(_COPY.path).where(_COPY.tier == tier)).scalars())
    apart = select(_RECORD.path).join_from(tables.part, tables.copy).join(tables.instance, _RECORD.part_id == _PART.id)
    apart = apart.where(_COPY.tier == tier, _RECORD.path.is_not(None))
    return known | set(conn.execute(apart).scalars())


def _copy(row: Any) -> CopyRow:
    where = (row.part_id, Tier(row.tier), row.path, row.size)
    return CopyRow(*where, row.check, row.codec, Form(row.form), row.state, row.verified_at)
