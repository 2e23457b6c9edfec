"""A generated catalog of many exams: every way through it gives the same answers, on both databases."""

from __future__ import annotations

from datetime import date
from itertools import product

import pytest
from sqlalchemy import inspect, text

from sdfo.catalog import Availability, Catalog, Query, StudyRow
from sdfo.catalog.expecting import expected, expected_at
from sdfo.catalog.tables import metadata
from sdfo.testing.manyexams import FIRST_DAY, Many, fill, night, with_files

MANY = Many(60, 2)


@pytest.fixture
def many(catalog: Catalog) -> Catalog:
    fill(catalog, MANY)
    with catalog.database.write() as conn:
        conn.execute(
            text("UPDATE study SET date = '', chronology = '9999' WHERE uid IN (SELECT uid FROM study LIMIT 3)")
        )
    return catalog


def _answers(row: StudyRow, query: Query) -> bool:
    """By the words of `Query`, of one study."""
    patient = (query.patient or "").casefold()
    return (
        (query.study is None or row.study == query.study)
        and (not patient or row.patient_id.casefold() == patient or row.patient_name.casefold().startswith(patient))
        and (query.modality is None or query.modality in row.modalities)
        and (query.since is None or (row.date != "" and row.date >= f"{query.since:%Y%m%d}"))
        and (query.until is None or (row.date != "" and row.date <= f"{query.until:%Y%m%d}"))
    )


def _queries() -> list[Query]:
    one, other = MANY.exam(7), MANY.exam(50)
    patients = (None, one.patient_id, "family", "nobody")
    modalities = (None, one.modality, "ZZ")
    days = ((None, None), (one.day, one.day), (FIRST_DAY, date(2021, 1, 1)), (None, other.day), (one.day, None))
    return [Query(patient, None, modality, *span) for patient, modality, span in product(patients, modalities, days)]


@pytest.mark.parametrize(("few", "page"), [(0, 7), (20_000, 7), (5, 2000)])
def test_every_way_gives_the_same(many: Catalog, monkeypatch: pytest.MonkeyPatch, few: int, page: int) -> None:
    """Walked in the order of the answer or sorted, in pages of whatever size: what a person would pick out of all studies."""
    whole = list(many.find(Query()))
    assert len(whole) == MANY.exams
    assert {row.availability for row in whole} == set(Availability) - {Availability.UNAVAILABLE}
    assert whole == sorted(whole, key=lambda row: row.place)
    monkeypatch.setattr("sdfo.catalog.queries.FEW", few)
    for name in ("FIRST_PAGE", "PAGE"):
        monkeypatch.setattr(f"sdfo.catalog.queries.{name}", page)
    for query in _queries():
        assert list(many.find(query)) == [row for row in whole if _answers(row, query)], query


def test_it_is_what_nights_would_have_left(many: Catalog) -> None:
    """One part or two, three copies each, the instances of each part found by their UIDs; indexes as migrations make them."""
    exam = MANY.exam(3)
    (row,) = many.find(Query(study=exam.study))
    assert (row.parts, row.instances, row.availability) == (2, 4, Availability.OFFLINE)
    copies = [copy.state for copy in many.copies(many.parts(exam.study)[0].id)]
    assert copies == ["retired", "retired", "verified"]
    assert [copy.tier for copy in many.locate(exam.sop_uid(2, 1))] == ["tape"]
    with many.database.read() as conn:
        found = {index["name"] for table in metadata.tables for index in inspect(conn).get_indexes(table)}
    assert found >= {index.name for table in metadata.tables.values() for index in table.indexes}


@pytest.mark.parametrize("random_uids", [False, True])
def test_a_night_is_published_on_top(many: Catalog, random_uids: bool) -> None:
    """New exams, with their SAN files, of either kind of UID."""
    parts = night(1, 3, 2, random_uids=random_uids)
    parts = with_files(parts, [many.folder(part.folder) for part in parts])
    lease = many.take_lease("archive", "r", "h")
    assert {result.state for result in many.publish(lease, "r", parts)} == {"new"}
    assert [row.availability.name for row in many.find(Query(study=parts[0].study))] == ["ONLINE"]


def test_what_lies_on_a_tier_comes_by_path(many: Catalog) -> None:
    """Every copy once, with its state, ascending; files apart among them; of tape the copies alone."""
    with many.database.write() as conn:
        conn.execute(text("UPDATE instance SET path = 'exams/2000/apart.dcm' WHERE part_id = 1 AND number = 0"))
        for tier, apart in (("hdfs", 1), ("nearline", 1), ("tape", 0)):
            found = list(expected(conn, tier))
            assert [each.path for each in found] == sorted(each.path for each in found)
            assert len(found) == 75 + apart
            assert [each.check for each in found].count(None) == apart
            one = found[10]
            assert expected_at(conn, tier, one.path) == one
        assert {each.state for each in found} == {"verified"}
        conn.execute(text("UPDATE copy SET \"check\" = 'other' WHERE part_id = 1 AND tier = 'nearline'"))
        assert [each.path for each in expected(conn, "nearline")].count("exams/2000/apart.dcm") == 1  # whatever codec
