"""What a query asks about a study and its series, as their own headers say it (PS3.4 section C.6.2.1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, case, false, or_, update

from sdfo.catalog import tables
from sdfo.catalog.engine import upsert


@dataclass(frozen=True, slots=True)
class SeriesAttributes:
    """Empty text where the header says nothing."""

    series: str
    modality: str = ""
    number: str = ""
    description: str = ""
    body_part: str = ""


@dataclass(frozen=True, slots=True)
class StudyAttributes:
    """`date` is YYYYMMDD and a real day, or empty; names are as in the header, components divided by `^`."""

    study: str
    patient_id: str = ""
    patient_name: str = ""
    birth_date: str = ""
    sex: str = ""
    date: str = ""
    time: str = ""
    description: str = ""
    accession: str = ""
    series: tuple[SeriesAttributes, ...] = ()


def folded(text: str) -> str:
    """The form in which patients' names and ids are compared: upper and lower case alike."""
    return text.strip().casefold()


def keep(conn: Connection, attributes: Sequence[StudyAttributes], *, noted: bool) -> None:
    """Keep what headers say. `noted`: a SAN head said it, so it yields to what an archived part says.

    Of an archived study the newest part's attributes count, but a blank does not wipe out what an older part knew.
    """
    if not attributes:
        return
    _merge(conn, tables.study, ("uid",), [_study_row(study, noted) for study in attributes])
    series = [_series_row(study.study, each, noted) for study in attributes for each in study.series]
    if series:
        _merge(conn, tables.series, ("study", "uid"), series)
    row = tables.study.c
    undated_last = case((row.date == "", "9999"), else_=row.date) + row.time
    touched = row.uid.in_([study.study for study in attributes])
    conn.execute(update(tables.study).where(touched).values(chronology=undated_last))


def ensure(conn: Connection, pairs: Iterable[tuple[str | None, str | None]]) -> None:
    """Rows for (study, series) of files whose heads said no more than that; those that are there stay as they are."""
    known = sorted({(study, series) for study, series in pairs if study}, key=lambda pair: (pair[0], pair[1] or ""))
    if not known:
        return
    studies = [{"uid": uid, "noted": True, "chronology": "9999"} for uid in dict.fromkeys(study for study, _ in known)]
    conn.execute(upsert(conn, tables.study).on_conflict_do_nothing(), studies)
    series = [{"study": study, "uid": uid, "noted": True} for study, uid in known if uid]
    if series:
        conn.execute(upsert(conn, tables.series).on_conflict_do_nothing(), series)


def _merge(conn: Connection, table: Table, key: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    statement = upsert(conn, table)
    old, new = table.c, statement.excluded
    archived = new.noted == false()
    overwrites = and_(old.noted, archived)
    values: dict[str, ColumnElement[Any]] = {
        name: case((or_(overwrites, new[name] != ""), new[name]), else_=old[name])
        for name in rows[0]
        if name not in (*key, "noted")
    }
    values["noted"] = and_(old.noted, new.noted)
    conn.execute(
        statement.on_conflict_do_update(index_elements=list(key), set_=values, where=or_(old.noted, archived)), rows
    )


def _study_row(study: StudyAttributes, noted: bool) -> dict[str, Any]:
    return {
        "uid": study.study,
        "noted": noted,
        "patient_id": study.patient_id,
        "patient_key": folded(study.patient_id),
        "patient_name": study.patient_name,
        "name_key": folded(study.patient_name),
        "birth_date": study.birth_date,
        "sex": study.sex,
        "date": study.date,
        "time": study.time,
        "description": study.description,
        "accession": study.accession,
    }


def _series_row(study: str, series: SeriesAttributes, noted: bool) -> dict[str, Any]:
    return {
        "study": study,
        "uid": series.series,
        "noted": noted,
        "modality": series.modality,
        "number": series.number,
        "description": series.description,
        "body_part": series.body_part,
    }
