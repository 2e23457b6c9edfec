"""Questions: which studies there are, and where each of their files lies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, false, func, or_, select, tuple_

from sdfo.catalog import tables
from sdfo.catalog.attributes import folded
from sdfo.catalog.availability import Availability
from sdfo.catalog.engine import Database
from sdfo.model import Tier

FIRST_PAGE, PAGE = 200, 2000
"""Studies asked for at once; first fewer of those who did not say how many they want."""
FEW = 20_000
"""Studies or series that are sorted in a moment, whatever their order."""

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
    left, size = limit, FIRST_PAGE if limit is None else PAGE
    while left is None or left > 0:
        size = size if left is None else min(size, left)
        with database.read() as conn:
            page = _page(conn, query, size, after)
        yield from page
        if len(page) < size:
            return
        after = page[-1].place
        left, size = None if left is None else left - size, PAGE


def _page(conn: Connection, query: Query, size: int, after: Place | None) -> list[StudyRow]:
    rows = _rows(conn, query, size, after)
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


def _rows(conn: Connection, query: Query, size: int, after: Place | None) -> Sequence[Row[Any]]:
    """Where so few studies come into question that what selects them fetches them all, they are sorted. Else one walks."""
    of_patient = query.patient is not None and _at_most_few(conn, select(_STUDY.uid).where(_of_patient(query.patient)))
    of_modality = query.modality is not None and _at_most_few(conn, _with_modality(query.modality))
    if not (query.study or of_patient or of_modality):
        return _walked(conn, query, size, after)
    wanted = select(tables.study).where(_is_there(), *_conditions(query))
    if query.modality is not None:
        wanted = wanted.where(_STUDY.uid.in_(_with_modality(query.modality)) if of_modality else _has(query.modality))
    if after is not None:
        wanted = wanted.where(tuple_(*_ORDER) > tuple_(*after))
    return conn.execute(wanted.order_by(*_ORDER).limit(size)).all()


def _at_most_few(conn: Connection, rows: Select[Any]) -> bool:
    counted = select(func.count()).select_from(rows.limit(FEW + 1).subquery())
    return conn.execute(counted).scalar_one() <= FEW


def _with_modality(modality: str) -> Select[Any]:
    return select(_SERIES.study).where(_SERIES.modality == modality.upper())


def _has(modality: str) -> ColumnElement[bool]:
    return _with_modality(modality).where(_SERIES.study == _STUDY.uid).exists()


def _walked(conn: Connection, query: Query, size: int, after: Place | None) -> list[Row[Any]]:
    """In the order of the answer, until the page is full: one availability after the other, in each the days in question.

    A name is compared without its index: whoever asks for half the archive would sort it before the first study is shown.
    """
    wanted = select(tables.study).where(_is_there(), *_conditions(query, _STUDY.name_key.concat("")))
    if query.modality is not None:
        wanted = wanted.where(_has(query.modality))
    if query.since is not None:
        wanted = wanted.where(_STUDY.chronology >= f"{query.since:%Y%m%d}")
    if query.until is not None:
        wanted = wanted.where(_STUDY.chronology < f"{query.until:%Y%m%d}{_LAST}")
    rows = list[Row[Any]]()
    for near in Availability:
        if (after is None or near >= after[0]) and len(rows) < size:
            here = wanted.where(_STUDY.availability == int(near))
            if after is not None and near == after[0]:
                here = here.where(tuple_(_STUDY.chronology, _STUDY.uid) > tuple_(*after[1:]))
            rows += conn.execute(here.order_by(_STUDY.chronology, _STUDY.uid).limit(size - len(rows))).all()
    return rows


def _of_patient(patient: str, name_key: ColumnElement[str] = _STUDY.name_key) -> ColumnElement[bool]:
    key = folded(patient)
    return or_(_STUDY.patient_key == key, and_(name_key >= key, name_key < key + _LAST))


def _conditions(query: Query, name_key: ColumnElement[str] = _STUDY.name_key) -> Iterator[ColumnElement[bool]]:
    if query.patient is not None:
        yield _of_patient(query.patient, name_key)
    if query.study is not None:
        yield _STUDY.uid == query.study
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
