"""Where the files of a study, a series or an instance lie, cheapest first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, select

from sdfo.catalog import tables
from sdfo.model import Extent, Form, Kind, Location, Tier

_STUDY, _SERIES, _PART, _COPY = tables.study.c, tables.series.c, tables.part.c, tables.copy.c
_RECORD, _FILE = tables.instance.c, tables.san_file.c
_RANK = {str(tier): rank for rank, tier in enumerate(Tier)}


def locate(conn: Connection, uid: str) -> list[Location]:
    """Every copy of every file under this UID; empty if nothing answers to it.

    Tier by tier, cheapest first, in record order within each; a copy known to be damaged comes after all others: most of
    it may still be read. Retired copies and freed SAN files are left out.
    """
    records, files = _under(conn, uid)
    archived = _archived(conn, records)
    on_san = _on_san(conn, files, archived)
    copies = sorted((row for row in archived if row.tier is not None), key=_order)
    return [*on_san, *(_in_copy(row) for row in copies)]


def _under(conn: Connection, uid: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Which records and which SAN files a UID names: a study's, else a series', else an instance's."""
    if conn.execute(select(_STUDY.uid).where(_STUDY.uid == uid)).scalar() is not None:
        return _PART.study == uid, _FILE.study == uid
    studies = list(conn.execute(select(_SERIES.study).where(_SERIES.uid == uid)).scalars())
    if studies:
        return (
            and_(_PART.study.in_(studies), _SERIES.uid == uid),
            and_(_FILE.study.in_(studies), _FILE.series == uid),
        )
    return _RECORD.sop == uid, _FILE.sop == uid


def _archived(conn: Connection, condition: ColumnElement[bool]) -> Sequence[Row[Any]]:
    """Records × copies; a record whose part has no copy left comes once, with no tier."""
    query = (
        select(
            tables.instance,
            _PART.study,
            _PART.ordinal,
            _PART.folder,
            _PART.first_record,
            (_PART.check == _COPY.check).label("as_published"),
            _SERIES.uid.label("series"),
            _COPY.tier,
            _COPY.path.label("copy_path"),
            _COPY.state,
            _COPY.form,
        )
        .join_from(tables.instance, tables.part)
        .outerjoin(tables.series, _RECORD.series_id == _SERIES.id)
        .outerjoin(tables.copy, and_(_COPY.part_id == _PART.id, _COPY.state != "retired"))
        .order_by(_PART.study, _PART.ordinal, _RECORD.number)
    )
    return conn.execute(query.where(condition)).all()


def _order(row: Row[Any]) -> tuple[bool, int, str, int, int]:
    return row.state == "damaged", _RANK[row.tier], row.study, row.ordinal, row.number


def _in_copy(row: Row[Any]) -> Location:
    """A copy written with another codec lays its records out anew: its own index says where, so the extent is not told."""
    if row.path is not None:
        volume = row.copy_path.partition("/")[0] + "/" if row.tier == Tier.TAPE else ""
        path, extent = volume + row.path, Extent(0, row.length)
    else:
        path, extent = row.copy_path, Extent(row.first_record + row.offset, row.length)
    return Location(
        tier=Tier(row.tier),
        study=row.study,
        series=row.series,
        sop=row.sop,
        folder=row.folder,
        name=row.name,
        size=row.length,
        sha256=row.sha256,
        kind=Kind(row.kind),
        path=path,
        extent=extent if row.as_published else None,
        form=Form(row.form),
        version=row.version,
    )


def _on_san(conn: Connection, condition: ColumnElement[bool], archived: Sequence[Row[Any]]) -> list[Location]:
    query = select(tables.san_file, tables.san_folder.c.path).join_from(tables.san_file, tables.san_folder)
    query = query.where(condition, _FILE.state != "freed").order_by(tables.san_folder.c.path, _FILE.name)
    return list(_with_versions(conn.execute(query).all(), archived))


def _with_versions(files: Sequence[Row[Any]], archived: Sequence[Row[Any]]) -> list[Location]:
    """An archived file has its record's version. A new one comes after all versions of its UID: what is archived is served
    until a night has settled which of them is right."""
    records = {(row.study, row.sha256): row for row in reversed(archived)}
    distinct = {(row.part_id, row.number): row for row in archived}.values()
    taken = Counter((row.study, row.sop) for row in distinct if row.sop is not None)
    found = []
    for file in files:
        record = records.get((file.study, file.digest))
        version = record.version if record is not None else taken[file.study, file.sop]
        if record is None and file.sop is not None:
            taken[file.study, file.sop] += 1
        kind = None if record is None else Kind(record.kind)
        found.append(_on_san_at(file, kind, version))
    return found


def _on_san_at(file: Row[Any], kind: Kind | None, version: int) -> Location:
    return Location(
        tier=Tier.SAN,
        study=file.study or "",
        series=file.series,
        sop=file.sop,
        folder=file.path,
        name=file.name,
        size=file.size,
        sha256=file.digest,
        kind=kind,
        version=version,
    )
