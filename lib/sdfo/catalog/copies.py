"""Parts and their copies on the tiers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from sdfo.catalog import availability, tables
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
    """`state`: written → verified → damaged | retired (docs: lifecycle). `check` differs from the part's after a codec."""

    part_id: int
    tier: Tier
    path: str
    size: int
    check: str
    codec: str
    form: Form
    state: str
    verified_at: datetime | None


def parts(conn: Connection, study: str) -> list[PartRow]:
    """In the order in which they were published."""
    rows = conn.execute(select(tables.part).where(_PART.study == study).order_by(_PART.ordinal))
    return [PartRow(row.id, row.study, row.ordinal, row.check, row.first_record, row.folder) for row in rows]


def copies(conn: Connection, part_id: int) -> list[CopyRow]:
    """Cheapest tier first."""
    rows = conn.execute(select(tables.copy).where(_COPY.part_id == part_id)).all()
    return sorted((_copy(row) for row in rows), key=lambda copy: list(Tier).index(copy.tier))


def mark(conn: Connection, part_id: int, tier: str, state: str, now: datetime) -> Line:
    """Keep a copy's new state; `verified` keeps the time too. `NotFound` if the part has no copy there."""
    values: dict[str, Any] = {"state": state} | ({"verified_at": now} if state == "verified" else {})
    this = (_COPY.part_id == part_id, _COPY.tier == tier)
    if conn.execute(update(tables.copy).where(*this).values(values)).rowcount == 0:
        raise NotFound(f"this part has no copy on {tier}", found=part_id)
    part = conn.execute(select(tables.part).where(_PART.id == part_id)).one()
    availability.refresh(conn, [part.study])
    return {
        "what": "copy",
        "study": part.study,
        "check": part.check,
        "tier": tier,
        "state": state,
        "at": stamped(now),
    }


def known_paths(conn: Connection, tier: str) -> set[str]:
    """Every path on this tier that the catalog answers for: the copies, and the files kept apart beside them."""
    known = set(conn.execute(select(_COPY.path).where(_COPY.tier == tier)).scalars())
    apart = select(_RECORD.path).join_from(tables.part, tables.copy).join(tables.instance, _RECORD.part_id == _PART.id)
    apart = apart.where(_COPY.tier == tier, _COPY.check == _PART.check, _RECORD.path.is_not(None))
    return known | set(conn.execute(apart).scalars())


def _copy(row: Any) -> CopyRow:
    where = (row.part_id, Tier(row.tier), row.path, row.size)
    return CopyRow(*where, row.check, row.codec, Form(row.form), row.state, row.verified_at)
