"""Questions: which studies there are, and where each of their files lies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, false, func, or_, select, tuple_

from sdfo.catalog import tables
from sdfo.catalog.attributes import folded
from sdfo.catalog.availability import Availability
from sdfo.catalog.engine import Database
from sdfo.model import Tier

PAGE = 200
"""Studies asked for at once."""

_STUDY, _SERIES, _PART, _COPY = tables.study.c, tables.series.c, tables.part.c, tables.copy.c
_RECORD, _FILE = tables.instance.c, tables.san_file.c
_ORDER = (_STUDY.availability, _STUDY.chronology, _STUDY.uid)
_LAST = "\U0010ffff"

Place = tuple[int, str, str]


@dataclass(frozen=True, slots=True)
class Query:
    """Every condition given must hold. `patient`: an id, or how a name begins, in upper or lower case; dates inclusive."""

    patient: str | None = None
    study: str | None = None
    modality: str | None = None
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True)
class StudyRow:
    """`instances` counts SOP Instance UIDs, on whatever tier, each once. `place` is where the next page goes on."""

    study: str
    patient_id: str
    patient_name: str
    birth_date: str
    sex: str
    date: str
    time: str
    description: str
    accession: str
    modalities: tuple[str, ...]
    series: int
    instances: int
    parts: int
    tiers: tuple[Tier, ...]
    availability: Availability
    place: Place


def find(database: Database, query: Query, limit: int | None, after: Place | None) -> Iterator[StudyRow]:
    """Online studies, then near-line, then offline; chronological in each, the undated last. A page is one moment."""
    left = limit
    while left is None or left > 0:
        size = PAGE if left is None else min(PAGE, left)
        with database.read() as conn:
            page = _page(conn, query, size, after)
        yield from page
        if len(page) < size:
            return
        after = page[-1].place
        left = None if left is None else left - size


def _page(conn: Connection, query: Query, size: int, after: Place | None) -> list[StudyRow]:
    wanted = select(tables.study).where(_is_there(), *_conditions(query)).order_by(*_ORDER).limit(size)
    if after is not None:
        wanted = wanted.where(tuple_(*_ORDER) > tuple_(*after))
    rows = conn.execute(wanted).all()
    uids = [row.uid for row in rows]
    series, parts, archived, new, tiers = (
        counted(conn, uids) for counted in (_modalities, _parts, _archived, _new, _tiers)
    )
    return [
        StudyRow(
            study=row.uid,
            patient_id=row.patient_id,
            patient_name=row.patient_name,
            birth_date=row.birth_date,
            sex=row.sex,
            date=row.date,
            time=row.time,
            description=row.description,
            accession=row.accession,
            modalities=tuple(sorted({modality for modality in series[row.uid] if modality})),
            series=len(series[row.uid]),
            instances=sum(archived[row.uid]) + sum(new[row.uid]),
            parts=sum(parts[row.uid]),
            tiers=tuple(tier for tier in Tier if tier in tiers[row.uid]),
            availability=Availability(row.availability),
            place=(row.availability, row.chronology, row.uid),
        )
        for row in rows
    ]


def _is_there() -> ColumnElement[bool]:
    """Archived, or on the SAN: a study whose files were taken away before their first night is no more."""
    seen = select(_FILE.key).where(_FILE.study == _STUDY.uid, _FILE.state != "freed").exists()
    return or_(_STUDY.noted == false(), seen)


def _conditions(query: Query) -> Iterator[ColumnElement[bool]]:
    if query.patient is not None:
        key = folded(query.patient)
        yield or_(_STUDY.patient_key == key, and_(_STUDY.name_key >= key, _STUDY.name_key < key + _LAST))
    if query.study is not None:
        yield _STUDY.uid == query.study
    if query.modality is not None:
        own = (_SERIES.study == _STUDY.uid, _SERIES.modality == query.modality.upper())
        yield select(_SERIES.id).where(*own).exists()
    if query.since is not None or query.until is not None:
        yield _STUDY.date != ""
    if query.since is not None:
        yield _STUDY.date >= f"{query.since:%Y%m%d}"
    if query.until is not None:
        yield _STUDY.date <= f"{query.until:%Y%m%d}"


_Found = dict[str, list[Any]]


def _grouped(rows: Any) -> _Found:
    found: _Found = defaultdict(list)
    for study, value in rows:
        found[study].append(value)
    return found


def _modalities(conn: Connection, uids: Sequence[str]) -> _Found:
    return _grouped(conn.execute(select(_SERIES.study, _SERIES.modality).where(_SERIES.study.in_(uids))))


def _parts(conn: Connection, uids: Sequence[str]) -> _Found:
    counts = select(_PART.study, func.count()).where(_PART.study.in_(uids)).group_by(_PART.study)
    return _grouped(conn.execute(counts))


def _archived(conn: Connection, uids: Sequence[str]) -> _Found:
    served = (_PART.study.in_(uids), _RECORD.version == 0, _RECORD.sop.is_not(None))
    counts = select(_PART.study, func.count()).join_from(tables.part, tables.instance).where(*served)
    return _grouped(conn.execute(counts.group_by(_PART.study)))


def _new(conn: Connection, uids: Sequence[str]) -> _Found:
    """UIDs that only new SAN files carry."""
    held = select(_RECORD.sop).join_from(tables.part, tables.instance)
    held = held.where(_PART.study == _FILE.study, _RECORD.sop == _FILE.sop)
    new = (_FILE.study.in_(uids), _FILE.state == "new", _FILE.sop.is_not(None), ~held.exists())
    counts = select(_FILE.study, func.count(_FILE.sop.distinct())).where(*new).group_by(_FILE.study)
    return _grouped(conn.execute(counts))


def _tiers(conn: Connection, uids: Sequence[str]) -> _Found:
    copies = select(_PART.study, _COPY.tier).join_from(tables.part, tables.copy).distinct()
    copies = copies.where(_PART.study.in_(uids), _COPY.state.not_in(("retired", "staged")))
    files = select(_FILE.study).where(_FILE.study.in_(uids), _FILE.state != "freed").distinct()
    on_san = [(study, str(Tier.SAN)) for study in conn.execute(files).scalars()]
    return _grouped([*on_san, *conn.execute(copies)])
