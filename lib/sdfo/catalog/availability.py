"""How near a study is: DICOM's Instance Availability (PS3.3 section C.4.23.1.1), kept with the study for the breadth query."""

from __future__ import annotations

import enum
from collections.abc import Iterable

from sqlalchemy import Connection, case, func, select, update

from sdfo.catalog import recalls, tables
from sdfo.catalog.engine import clock
from sdfo.model import Tier


class Availability(enum.IntEnum):
    """Nearest first: the order in which a breadth query answers."""

    ONLINE = 0
    NEARLINE = 1
    OFFLINE = 2
    UNAVAILABLE = 3


OF_TIER = {
    Tier.SAN: Availability.ONLINE,
    Tier.HDFS: Availability.ONLINE,
    Tier.NEARLINE: Availability.NEARLINE,
    Tier.TAPE: Availability.OFFLINE,
}

_PART, _COPY = tables.part.c, tables.copy.c


def refresh(conn: Connection, studies: Iterable[str]) -> None:
    """Work out anew how near these studies are, after parts, copies or SAN files came or went.

    A study is as far away as its farthest part, a part as near as its nearest usable copy. One on a volume that was recalled
    is as near as near-line, for as long as the volume was promised to stay.
    """
    for study in studies:
        farthest = max((_of_part(conn, study, *part) for part in _parts(conn, study)), default=Availability.ONLINE)
        conn.execute(update(tables.study).where(tables.study.c.uid == study).values(availability=int(farthest)))


def _parts(conn: Connection, study: str) -> list[tuple[int, int | None]]:
    rank = case({str(tier): int(near) for tier, near in OF_TIER.items()}, value=_COPY.tier)
    usable = (_COPY.part_id == _PART.id) & _COPY.state.in_(("written", "verified"))
    query = select(_PART.id, func.min(rank)).outerjoin_from(tables.part, tables.copy, usable)
    return [(part_id, near) for part_id, near in conn.execute(query.where(_PART.study == study).group_by(_PART.id))]


def _of_part(conn: Connection, study: str, part_id: int, near: int | None) -> Availability:
    if near == Availability.OFFLINE and _is_recalled(conn, part_id):
        return Availability.NEARLINE
    if near is not None:
        return Availability(near)
    record, file = tables.instance.c, tables.san_file.c
    on_san = select(file.key).where(file.study == study, file.digest == record.sha256, file.state != "freed").exists()
    lost = conn.execute(select(record.number).where(record.part_id == part_id, ~on_san).limit(1)).scalar()
    return Availability.ONLINE if lost is None else Availability.UNAVAILABLE


def _is_recalled(conn: Connection, part_id: int) -> bool:
    """Whether the part's volume came back and was promised to stay for now."""
    this = (_COPY.part_id == part_id, _COPY.tier == str(Tier.TAPE))
    path: str | None = conn.execute(select(_COPY.path).where(*this)).scalar()
    return path is not None and path.partition("/")[0] in recalls.here(conn, clock(conn))
