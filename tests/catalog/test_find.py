"""Which studies there are: online, near-line, offline, chronological in each, page after page."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import update

from sdfo.catalog import Availability, Catalog, Query, SanFile, SeriesAttributes, StudyAttributes, tables
from sdfo.model import Kind, Tier
from sdfo.testing.parts import entry, marked, record

AT = datetime(2024, 1, 1, tzinfo=UTC)


def publish(catalog: Catalog, *parts: object) -> None:
    lease = catalog.take_lease("archive", "r", "h")
    results = catalog.publish(lease, "r", parts)  # type: ignore[arg-type]
    assert {result.state for result in results} == {"new"}


def study(number: int, **attributes: str) -> object:
    uid = f"1.2.{number}"
    return entry(uid, record(uid, 1), **{"date": f"2024{1 + number % 12:02}01", **attributes})


def found(catalog: Catalog, **query: object) -> list[str]:
    return [row.study for row in catalog.find(Query(**query))]  # type: ignore[arg-type]


def test_a_row_says_what_a_query_client_shows(catalog: Catalog) -> None:
    """Attributes, counts and tiers; an instance under several names, in corrections or damaged copies counts once."""
    uid = "1.2.3"
    records = [
        record(uid, 1),
        record(uid, 2, series=2),
        replace(record(uid, 2, series=2, head="again"), name=b"twin"),
        replace(record(uid, 9), sop=None, series=None, kind=Kind.OTHER, pixels=None),
    ]
    series = (SeriesAttributes(f"{uid}.1", "CT"), SeriesAttributes(f"{uid}.2", "SR"))
    part = entry(uid, *records, time="101112", birth_date="19700101", sex="F", description="Head", accession="A7")
    part = replace(part, attributes=replace(part.attributes, series=series))
    folder_id = catalog.keep_listing(b"exam", "", 1, (), 4, AT, "settled")
    publish(catalog, marked(part, folder_id))
    (row,) = catalog.find(Query())
    assert (row.study, row.patient_id, row.patient_name, row.birth_date, row.sex) == (
        uid,
        "P1",
        "Doe^Jane",
        "19700101",
        "F",
    )
    assert (row.date, row.time, row.description, row.accession) == ("20240102", "101112", "Head", "A7")
    assert (row.modalities, row.series, row.instances, row.parts) == (("CT", "SR"), 2, 2, 1)
    assert (row.tiers, row.availability) == ((Tier.SAN, Tier.HDFS), Availability.ONLINE)


def test_today_is_found_before_its_first_night(catalog: Catalog) -> None:
    """What the scan noted answers at once, from the SAN."""
    folder_id = catalog.keep_listing(b"exam", "", 1, (), 2, AT, "receiving")
    files = [SanFile(b"%d" % n, 1, 1, 1, "1.2.3", "1.2.3.1", f"1.2.3.1.{n}") for n in range(3)]
    said = StudyAttributes("1.2.3", "P9", "Roe^Richard", date="20240501", series=(SeriesAttributes("1.2.3.1", "MR"),))
    catalog.note_files(folder_id, files, [said])
    (row,) = catalog.find(Query(patient="roe", modality="MR", since=date(2024, 5, 1), until=date(2024, 5, 1)))
    assert (row.instances, row.parts, row.tiers, row.availability) == (3, 0, (Tier.SAN,), Availability.ONLINE)


def test_late_images_count_once(catalog: Catalog) -> None:
    """A new file adds to the archived ones unless its UID is among them."""
    publish(catalog, entry("1.2.3", record("1.2.3", 1)))
    folder_id = catalog.keep_listing(b"late", "", 1, (), 2, AT, "receiving")
    files = [SanFile(b"%d" % n, 1, 1, 1, "1.2.3", "1.2.3.1", f"1.2.3.1.{n}") for n in (1, 2)]
    catalog.note_files(folder_id, files, [])
    assert [row.instances for row in catalog.find(Query())] == [2]


@pytest.mark.parametrize(
    ("patient", "expected"),
    [
        ("müller", ["1.2.1", "1.2.2"]),
        ("MÜLLER^A", ["1.2.1"]),
        ("p-7", ["1.2.3"]),
        ("p-", []),
        ("%", []),
        ("_üller", []),
        ("doe", ["1.2.3"]),
        ("", ["1.2.1", "1.2.2", "1.2.3", "1.2.4"]),
        ("\U0001f600", ["1.2.4"]),
        ("x\0y", []),
    ],
)
def test_a_patient_is_an_id_or_the_beginning_of_a_name(catalog: Catalog, patient: str, expected: list[str]) -> None:
    """An id whole, a name from its beginning, in any case; no character is a pattern."""
    names = {1: "Müller^Anna", 2: "MÜLLER^Bert", 3: "Doe^Jane", 4: "\U0001f600"}
    publish(catalog, *(study(n, patient_name=name, patient_id=f"P-{n * n - 2}") for n, name in names.items()))
    assert sorted(found(catalog, patient=patient)) == expected


def test_conditions_narrow(catalog: Catalog) -> None:
    """Study, modality and dates, both ends included; the undated is in no range of dates."""
    publish(catalog, *(study(n) for n in range(6)), study(99, date=""))
    assert found(catalog, study="1.2.3") == ["1.2.3"]
    assert found(catalog, study="1.2") == []
    assert found(catalog, since=date(2024, 2, 1), until=date(2024, 3, 1)) == ["1.2.1", "1.2.2"]
    assert found(catalog, since=date(2024, 6, 1)) == ["1.2.5"]
    assert found(catalog, until=date(2024, 1, 31)) == ["1.2.0"]
    assert len(found(catalog, modality="ct")) == 7
    assert found(catalog, modality="MR") == []
    assert found(catalog, patient="nobody") == []


def test_order_is_by_nearness_then_time(catalog: Catalog) -> None:
    """Online, near-line, offline, unavailable; in each by date, time and UID, the undated last."""
    publish(
        catalog,
        study(1, date="20240102", time="09"),
        study(2, date="20240102", time="08"),
        study(3, date="20230101"),
        study(4, date=""),
        study(5, date="20200101"),
        study(6, date="20100101"),
        study(7, date="20000101"),
        study(10, date="20240102", time="08"),
    )
    for uid, tier in (("1.2.5", Tier.NEARLINE), ("1.2.6", Tier.TAPE)):
        _move(catalog, uid, tier)
    catalog.mark_copy(catalog.parts("1.2.7")[0].id, "hdfs", "damaged")
    order = [(row.study, row.availability.name) for row in catalog.find(Query())]
    assert order == [
        ("1.2.3", "ONLINE"),
        ("1.2.10", "ONLINE"),
        ("1.2.2", "ONLINE"),
        ("1.2.1", "ONLINE"),
        ("1.2.4", "ONLINE"),
        ("1.2.5", "NEARLINE"),
        ("1.2.6", "OFFLINE"),
        ("1.2.7", "UNAVAILABLE"),
    ]


def _move(catalog: Catalog, uid: str, tier: Tier) -> None:
    """As a backup and an expiry will."""
    part_id = catalog.parts(uid)[0].id
    with catalog.database.write() as conn:
        conn.execute(update(tables.copy).where(tables.copy.c.part_id == part_id).values(tier=tier))
    catalog.mark_copy(part_id, tier, "verified")


def test_a_study_is_as_far_as_its_farthest_part(catalog: Catalog) -> None:
    """Half of it on the disk is not all of it; a lost copy does not matter while the SAN has every file of it."""
    uid = "1.2.3"
    folder_id = catalog.keep_listing(b"exam", "", 1, (), 4, AT, "settled")
    publish(catalog, marked(entry(uid, record(uid, 1)), folder_id), marked(entry(uid, record(uid, 2)), folder_id))
    first, second = catalog.parts(uid)
    catalog.mark_copy(first.id, "hdfs", "damaged")
    assert [row.availability for row in catalog.find(Query())] == [Availability.ONLINE]
    catalog.forget_files(folder_id, [record(uid, 1).name])
    catalog.mark_copy(second.id, "hdfs", "verified")
    assert [row.availability for row in catalog.find(Query())] == [Availability.UNAVAILABLE]
    catalog.mark_copy(first.id, "hdfs", "verified")
    assert [row.availability for row in catalog.find(Query())] == [Availability.ONLINE]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, None])
def test_pages_join_to_the_whole(catalog: Catalog, monkeypatch: pytest.MonkeyPatch, size: int | None) -> None:
    """Whatever the page's size, and with studies that share date and time: each once, in order."""
    monkeypatch.setattr("sdfo.catalog.queries.PAGE", 3)
    publish(catalog, *(study(n, date=("20240101", "")[n % 2]) for n in range(7)))
    whole = found(catalog)
    assert sorted(whole) == sorted(f"1.2.{n}" for n in range(7))
    joined: list[str] = []
    after = None
    while rows := list(catalog.find(Query(), size, after)):
        assert size is None or len(rows) <= size
        joined += [row.study for row in rows]
        after = rows[-1].place
    assert joined == whole


def test_a_study_published_while_paging_disturbs_no_page(catalog: Catalog) -> None:
    """A page goes on after a place, not after a number."""
    publish(catalog, *(study(n) for n in range(1, 6)))
    first = list(catalog.find(Query(), 2))
    publish(catalog, study(0))
    rest = [row.study for row in catalog.find(Query(), None, first[-1].place)]
    assert [row.study for row in first] + rest == [f"1.2.{n}" for n in range(1, 6)]
