"""Where each file lies: cheapest tier first, record order in each."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import insert

from sdfo.catalog import Catalog, FileMark, PartEntry, SanFile, tables
from sdfo.errors import NotFound
from sdfo.model import Extent, Form, Kind, Location, Tier
from sdfo.testing.parts import digest, entry, marked, record, stamp

UID, SERIES, SOP = "1.2.3", "1.2.3.1", "1.2.3.1.1"
AT = datetime(2024, 1, 1, tzinfo=UTC)


def folder(catalog: Catalog, path: bytes = b"exam") -> int:
    return catalog.keep_listing(path, "", 1, (), 1, AT, "settled")


def publish(catalog: Catalog, *parts: PartEntry) -> None:
    catalog.publish(catalog.take_lease("archive", "r", "h"), "r", parts)


@pytest.fixture
def part(catalog: Catalog) -> PartEntry:
    """Two records in two series, and a large file apart, all on the SAN as well."""
    apart = replace(record(UID, 3), offset=0, path="exams/2024/01/big.dcm", name=b"T/big\xff.dcm")
    made = marked(entry(UID, record(UID, 1), record(UID, 2, series=2), apart), folder(catalog))
    publish(catalog, made)
    return made


def test_a_study_is_all_its_files_on_every_tier(catalog: Catalog, part: PartEntry) -> None:
    """SAN before HDFS; in HDFS with absolute extents; a file apart by its own path."""
    found = catalog.locate(UID)
    assert [(place.tier, place.name) for place in found] == [
        (tier, each.name) for tier in (Tier.SAN, Tier.HDFS) for each in part.instances
    ]
    assert {place.folder for place in found} == {b"exam"}
    assert [place.sha256 for place in found] == [each.sha256 for each in part.instances] * 2
    assert [(place.path, place.extent) for place in found[3:]] == [
        (part.path, Extent(4096 + 600_000, 524_288)),
        (part.path, Extent(4096 + 1_200_000, 524_288)),
        ("exams/2024/01/big.dcm", Extent(0, 524_288)),
    ]
    assert {(place.path, place.extent) for place in found[:3]} == {(None, None)}
    assert {(place.kind, place.size, place.version) for place in found} == {(Kind.DICOM, 524_288, 0)}


def test_a_series_and_an_instance_are_their_own_files(catalog: Catalog, part: PartEntry) -> None:
    """And no others; nothing answers to a UID that is not there."""
    publish(catalog, entry("9.9", record("9.9", 1)))
    assert {place.sop for place in catalog.locate(SERIES)} == {SOP, f"{UID}.1.3"}
    assert {place.series for place in catalog.locate(SERIES)} == {SERIES}
    assert [(place.tier, place.sop) for place in catalog.locate(SOP)] == [(Tier.SAN, SOP), (Tier.HDFS, SOP)]
    assert catalog.locate("1.2") == []
    assert catalog.locate("") == []


def test_freed_files_and_retired_copies_are_no_places(catalog: Catalog, part: PartEntry) -> None:
    """What is gone is not offered."""
    catalog.forget_files(folder(catalog), [part.instances[0].name])
    assert [place.tier for place in catalog.locate(SOP)] == [Tier.HDFS]
    catalog.mark_copy(catalog.parts(UID)[0].id, Tier.HDFS, "retired")
    assert catalog.locate(SOP) == []
    assert {place.tier for place in catalog.locate(UID)} == {Tier.SAN}


def test_a_damaged_copy_comes_last(catalog: Catalog, part: PartEntry) -> None:
    """Most of its records may still be whole, and each is compared with its digest when read."""
    near = {"tier": "nearline", "path": "exams/near.sdicom", "check": digest("near"), "form": "codestream"}
    _add_copy(catalog, part, **near)
    catalog.mark_copy(catalog.parts(UID)[0].id, Tier.HDFS, "damaged")
    assert [place.tier for place in catalog.locate(SOP)] == [Tier.SAN, Tier.NEARLINE, Tier.HDFS]
    assert [copy.tier for copy in catalog.copies(catalog.parts(UID)[0].id)] == [Tier.HDFS, Tier.NEARLINE]


def test_a_copy_with_another_codec_tells_no_extent(catalog: Catalog, part: PartEntry) -> None:
    """Its records lie elsewhere in it: its own index says where."""
    _add_copy(catalog, part, tier="nearline", path="exams/near.sdicom", check=digest("near"), form="codestream")
    _, hdfs, near = catalog.locate(SOP)
    assert (hdfs.form, near.form) == (Form.FILE, Form.CODESTREAM)
    assert (near.path, near.extent) == ("exams/near.sdicom", None)


def _add_copy(catalog: Catalog, part: PartEntry, **fields: str) -> None:
    values = {"part_id": catalog.parts(part.study)[0].id, "size": 1, "codec": "j2k-roi", "state": "verified"}
    with catalog.database.write() as conn:
        conn.execute(insert(tables.copy).values(**values, **fields))


def test_a_file_of_today_is_on_the_san_alone(catalog: Catalog) -> None:
    """No digest, no kind yet; of two with one UID the first is served."""
    today = [SanFile(name, 7, 1, 1, UID, SERIES, SOP) for name in (b"b", b"a")]
    catalog.note_files(folder(catalog), today, [])
    expected = [
        Location(Tier.SAN, UID, SERIES, SOP, b"exam", name, 7, None, version=version)
        for version, name in enumerate((b"a", b"b"))
    ]
    assert catalog.locate(UID) == catalog.locate(SERIES) == catalog.locate(SOP) == expected


def test_a_new_file_waits_behind_the_archived_ones(catalog: Catalog, part: PartEntry) -> None:
    """Until a night has said whether it corrects them; files without a UID are no versions of each other."""
    late = [SanFile(b"late", 7, 1, 1, UID, SERIES, SOP), SanFile(b"note", 7, 1, 1, UID), SanFile(b"zzz", 7, 1, 1, UID)]
    catalog.note_files(folder(catalog, b"other"), late, [])
    assert [(place.tier, place.name, place.version) for place in catalog.locate(SOP)] == [
        (Tier.SAN, part.instances[0].name, 0),
        (Tier.SAN, b"late", 1),
        (Tier.HDFS, part.instances[0].name, 0),
    ]
    assert {place.version for place in catalog.locate(UID) if place.sop is None} == {0}


def test_san_files_have_the_versions_of_their_records(catalog: Catalog) -> None:
    """A correction and what it corrects may both still lie there; an alias counts as its record."""
    for name, head in ((b"old", "a"), (b"new", "b")):
        publish(catalog, marked(entry(UID, replace(record(UID, 1, head=head), name=name)), folder(catalog)))
    sha256 = record(UID, 1, head="a").sha256
    alias = FileMark(folder(catalog, b"other"), stamp(b"alias", 9), sha256, "alias", None, SERIES, SOP)
    catalog.publish_aliases(catalog.take_lease("archive", "r", "h"), "r", UID, [alias])
    assert {(place.tier, place.name): place.version for place in catalog.locate(SOP)} == {
        (Tier.SAN, b"new"): 0,
        (Tier.SAN, b"old"): 1,
        (Tier.SAN, b"alias"): 1,
        (Tier.HDFS, b"new"): 0,
        (Tier.HDFS, b"old"): 1,
    }


def test_known_paths_are_all_that_must_stay(catalog: Catalog, part: PartEntry) -> None:
    """Copies, and the files apart beside them, whatever codec wrote the copy; on this tier alone."""
    _add_copy(catalog, part, tier="nearline", path="exams/near.sdicom", check=digest("near"), form="codestream")
    assert catalog.known_paths("hdfs") == {part.path, "exams/2024/01/big.dcm"}
    assert catalog.known_paths("nearline") == {"exams/near.sdicom", "exams/2024/01/big.dcm"}
    assert catalog.known_paths("tape") == set()


def test_marking_a_copy_that_is_not_there(catalog: Catalog, part: PartEntry) -> None:
    """The part exists, its copy on tape does not."""
    with pytest.raises(NotFound, match="no copy on tape"):
        catalog.mark_copy(catalog.parts(UID)[0].id, "tape", "verified")


def test_verifying_a_copy_keeps_the_time(catalog: Catalog, part: PartEntry) -> None:
    """Damage keeps the last good one."""
    part_id = catalog.parts(UID)[0].id
    (before,) = catalog.copies(part_id)
    catalog.mark_copy(part_id, "hdfs", "verified")
    (after,) = catalog.copies(part_id)
    assert before.verified_at
    assert after.verified_at
    assert after.verified_at > before.verified_at
    catalog.mark_copy(part_id, "hdfs", "damaged")
    assert catalog.copies(part_id) == [replace(after, state="damaged")]
