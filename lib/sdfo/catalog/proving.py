"""Which copies are to be read again, and what must come out of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from random import Random
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, select, update

from sdfo.catalog import copies, tables
from sdfo.catalog.copies import CopyRow, PartRow
from sdfo.model import FileStamp, Tier

_PART, _COPY, _RECORD = tables.part.c, tables.copy.c, tables.instance.c

WHOLE = ("written", "verified")
"""States of a copy of which nothing bad is known."""


def oldest(conn: Connection, tiers: Iterable[Tier], most: int, before: datetime) -> list[tuple[PartRow, CopyRow]]:
    """Those that were never read again come first. Two questions, each in the order of an index."""
    never = _with_parts().where(*_whole(tiers), _COPY.verified_at.is_(None)).order_by(_COPY.part_id).limit(most)
    found = [copies.of_part(row) for row in conn.execute(never)]
    old = _with_parts().where(*_whole(tiers), _COPY.verified_at < before).order_by(_COPY.verified_at)
    return found + [copies.of_part(row) for row in conn.execute(old.limit(most - len(found)))]


def forget_ahead(conn: Connection, tiers: Iterable[Tier], until: datetime) -> None:
    """Else they would be read again only once that moment has come, and until then nobody would see them rot."""
    ahead = (*_whole(tiers), _COPY.verified_at > until)
    conn.execute(update(tables.copy).where(*ahead).values(verified_at=None))


def size(conn: Connection, tiers: Iterable[Tier]) -> int:
    return int(conn.execute(select(func.coalesce(func.sum(_COPY.size), 0)).where(*_whole(tiers))).scalar_one())


def sample(conn: Connection, tier: Tier, most: int, random: Random) -> list[tuple[PartRow, CopyRow]]:
    """Parts are numbered with few gaps: a lot that meets one goes to the next number."""
    here = _whole([tier])
    first, last, count = conn.execute(
        select(func.min(_COPY.part_id), func.max(_COPY.part_id), func.count()).where(*here)
    ).one()
    found = dict[int, tuple[PartRow, CopyRow]]()
    for _ in range(20 * most if count > most else count):
        after = random.randint(first, last) if count > most else max(found, default=first - 1) + 1
        row = conn.execute(_with_parts().where(*here, _COPY.part_id >= after).order_by(_COPY.part_id).limit(1)).one()
        found[row.part_id] = copies.of_part(row)
        if len(found) >= most:
            break
    return list(found.values())


def at(conn: Connection, tier: Tier, path: str) -> tuple[PartRow, CopyRow] | None:
    row = conn.execute(_with_parts().where(_COPY.tier == str(tier), _COPY.path == path)).one_or_none()
    return None if row is None else copies.of_part(row)


def originals(conn: Connection, part_id: int) -> list[str]:
    return sorted(conn.execute(select(_RECORD.sha256).where(_RECORD.part_id == part_id)).scalars())


def made_of(conn: Connection, part_id: int) -> tuple[int, tuple[FileStamp, ...]] | None:
    """The exam folder's id and the files in it that a part was made of; None if the SAN has not all of them any more."""
    folder, file = tables.san_folder.c, tables.san_file.c
    here = (file.folder_id == folder.id) & (file.name == _RECORD.name) & (file.digest == _RECORD.sha256)
    columns = (folder.id.label("folder_id"), file.name, file.size, file.mtime_ns, file.ctime_ns)
    query = select(*columns).select_from(tables.instance).join(tables.part)
    query = query.join(tables.san_folder, folder.path == _PART.folder).join(tables.san_file, here)
    rows = conn.execute(query.where(_RECORD.part_id == part_id, file.state != "freed").order_by(file.name)).all()
    total = conn.execute(select(func.count()).where(_RECORD.part_id == part_id)).scalar_one()
    if not rows or len(rows) != total:
        return None
    return rows[0].folder_id, tuple(FileStamp(row.name, row.size, row.mtime_ns, row.ctime_ns) for row in rows)


def _whole(tiers: Iterable[Tier]) -> tuple[ColumnElement[bool], ...]:
    return _COPY.tier.in_(list(map(str, tiers))), _COPY.state.in_(WHOLE)


def _with_parts() -> Select[Any]:
    columns = (_PART.study, _PART.ordinal, _PART.check.label("own"), _PART.first_record, _PART.folder)
    return select(tables.copy, *columns).join_from(tables.copy, tables.part)
