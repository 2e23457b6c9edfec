"""What the catalog says lies on a tier, path by path: one side of a comparison with what does."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, null, select

from sdfo.catalog import tables
from sdfo.model import Tier

RETIRED, DAMAGED = "retired", "damaged"
_PAGE = 10_000
_PART, _COPY, _RECORD = tables.part.c, tables.copy.c, tables.instance.c


@dataclass(frozen=True, slots=True)
class Expected:
    """A copy's file, or one that lies apart beside it (`check` None), and how the copy stands."""

    path: str
    size: int
    study: str
    state: str
    check: str | None = None


def expected(conn: Connection, tier: str) -> Iterator[Expected]:
    """Ascending by path. Files beside a copy have the same names and bytes on every tier, whatever codec wrote it.

    Of tape the copies alone: what lies apart beside them is on the same volume.
    """
    if tier == Tier.TAPE:
        return _streamed(conn, _copies(tier))
    return heapq.merge(_streamed(conn, _copies(tier)), _streamed(conn, _beside(tier)), key=lambda each: each.path)


def expected_at(conn: Connection, tier: str, path: str) -> Expected | None:
    """The same of one path."""
    queries = (_copies(tier).where(_COPY.path == path), _beside(tier).where(_RECORD.path == path))
    return next((each for query in queries for each in _streamed(conn, query)), None)


def _copies(tier: str) -> Select[Any]:
    columns = (_COPY.path, _COPY.size, _PART.study, _COPY.state, _COPY.check)
    return select(*columns).join_from(tables.copy, tables.part).where(_COPY.tier == tier).order_by(_COPY.path)


def _beside(tier: str) -> Select[Any]:
    columns = (_RECORD.path, _RECORD.length, _PART.study, _COPY.state, null())
    query = select(*columns).join_from(tables.instance, tables.part).join(tables.copy, _COPY.part_id == _PART.id)
    here = (_COPY.tier == tier, _RECORD.path.is_not(None))
    return query.where(*here).order_by(_RECORD.path)


def _streamed(conn: Connection, query: Select[Any]) -> Iterator[Expected]:
    rows = conn.execute(query, execution_options={"yield_per": _PAGE})
    return (Expected(row[0], row[1], row[2], row[3], row[4]) for row in rows)
