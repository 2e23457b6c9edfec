"""The queue of the near-line backup: what is not backed up is in it, in the order in which it is to be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from alembic import command
from sqlalchemy import insert, text, update

from sdfo.catalog import Availability, Catalog, Lease, NewCopy, PartEntry, QuarantineNote, Query, tables, waiting
from sdfo.catalog.connecting import create_file
from sdfo.catalog.migrations import configuration
from sdfo.catalog.waiting import BACKUP
from sdfo.errors import Conflict, Fenced, NotFound
from sdfo.model import Form, Tier
from sdfo.testing.parts import digest, entry, record

A, B, C = "1.2.1", "1.2.2", "1.2.3"

WORKS = pytest.mark.parametrize(("work", "kind"), waiting.WORKS.items())


@pytest.fixture
def lease(catalog: Catalog) -> Lease:
    return catalog.take_lease("backup", "run-1", "host:1")


def published(catalog: Catalog, *studies: str) -> list[PartEntry]:
    parts = [entry(study, record(study, 1)) for study in studies]
    for part in parts:  # one transaction each: one moment each
        catalog.publish(catalog.take_lease("archive", "run-1", "host:1"), "run-1", [part])
    return parts


def copy_of(part: PartEntry, **fields: Any) -> NewCopy:
    own = {"tier": Tier.NEARLINE, "path": f"near/{part.check}", "size": 7, "copy_check": digest("near", part.check)}
    return NewCopy(part.study, part.check, **own | {"codec": "j2k", "form": Form.CODESTREAM} | fields)


def order(catalog: Catalog) -> list[str]:
    return [row.study for row in catalog.queued(9)]


def test_published_parts_wait_until_they_have_a_copy(catalog: Catalog, lease: Lease) -> None:
    """Oldest first; publishing again puts nothing there twice, or again."""
    parts = published(catalog, B, A, C)
    published(catalog, A)
    assert order(catalog) == [B, A, C]
    assert (catalog.queue().parts, catalog.queue().bytes) == (3, sum(part.size for part in parts))
    catalog.add_copies(lease, [copy_of(parts[0])])
    assert order(catalog) == [A, C]
    published(catalog, B)
    assert order(catalog) == [A, C]
    (near,) = [copy for copy in catalog.copies(catalog.parts(B)[0].id) if copy.tier is Tier.NEARLINE]
    assert (near.path, near.size, near.codec, near.form) == (f"near/{parts[0].check}", 7, "j2k", Form.CODESTREAM)
    assert (near.check, near.state) == (digest("near", parts[0].check), "verified")
    assert near.verified_at is not None


def test_what_failed_comes_last(catalog: Catalog, lease: Lease) -> None:
    """Behind all that were never tried, with the reason; set aside it is not tried, and counted apart, until it is released."""
    published(catalog, A, B, C)
    first = catalog.queued(1)[0]
    assert type(first.size) is int  # a Decimal cannot be divided by seconds
    assert catalog.note_failed_backups(lease, [first.part_id], "died") == [1]
    assert order(catalog) == [B, C, A]
    assert [(row.tries, row.reason) for row in catalog.queued(9)][-1] == (1, "died")
    note = QuarantineNote("backup: died", b"", first.ordinal, BACKUP)
    entry_id = catalog.open_quarantine("run-1", note, study=A, folder_id=None)
    assert order(catalog) == [B, C]
    assert (catalog.queue().parts, catalog.queue().aside) == (2, 1)
    catalog.resolve_quarantine(entry_id, "released")
    assert order(catalog) == [B, C, A]


def test_what_waits_for_other_work_is_not_its_concern(catalog: Catalog, lease: Lease) -> None:
    """The table has a kind of work in each row: the backup sees and counts its own alone."""
    published(catalog, A)
    (row,) = catalog.queued(1)
    with catalog.database.write() as conn:
        conn.execute(insert(tables.queue).values(part_id=row.part_id, work="other", since=row.since, tries=0))
    assert (order(catalog), catalog.queue().parts) == ([A], 1)
    assert catalog.note_failed_backups(lease, [row.part_id], "died") == [1]


def test_a_copy_closes_what_was_set_aside(catalog: Catalog, lease: Lease) -> None:
    """Nobody need look any more why it failed."""
    (part,) = published(catalog, A)
    catalog.open_quarantine("run-1", QuarantineNote("backup: died", b"", 1, BACKUP), study=A, folder_id=None)
    catalog.add_copies(lease, [copy_of(part)])
    assert catalog.quarantine() == []
    assert [row.state for row in catalog.quarantine(None)] == ["archived"]


@WORKS
def test_a_part_whose_source_is_mended_is_tried_again(catalog: Catalog, lease: Lease, work: str, kind: str) -> None:
    """What set it aside is released by the copy on HDFS that was found whole."""
    (part,) = published(catalog, A)
    part_id = catalog.parts(A)[0].id
    catalog.open_quarantine("run-1", QuarantineNote("backup: damaged", b"", 1, kind), study=A, folder_id=None)
    catalog.mark_copy(part_id, "hdfs", "verified")  # it always was: something else set it aside
    assert catalog.queued(9, work) == []
    catalog.mark_copy(part_id, "hdfs", "damaged")
    catalog.mark_copy(part_id, "hdfs", "verified")
    assert [row.check for row in catalog.queued(9, work)] == [part.check]
    assert [row.state for row in catalog.quarantine(None)] == ["released"]


@WORKS
def test_a_part_without_a_copy_is_not_accepted(catalog: Catalog, work: str, kind: str) -> None:
    """It would never be tried again, for a decision is not turned round."""
    published(catalog, A)
    entry_id = catalog.open_quarantine("run-1", QuarantineNote("backup: died", b"", 1, kind), study=A, folder_id=None)
    with pytest.raises(Conflict, match=f"next: sdfo quarantine release {entry_id}"):
        catalog.resolve_quarantine(entry_id, "accepted")
    catalog.resolve_quarantine(entry_id, "released")
    assert [row.study for row in catalog.queued(9, work)] == [A]


def test_a_damaged_copy_waits_to_be_made_again(catalog: Catalog, lease: Lease) -> None:
    """From the moment at which it was found to be; the new one takes its place, and the old one's path is told if it is another."""
    (part,) = published(catalog, A)
    assert catalog.add_copies(lease, [copy_of(part)]) == []
    part_id = catalog.parts(A)[0].id
    catalog.mark_copy(part_id, "nearline", "damaged", "missing")
    assert [(row.check, row.reason) for row in catalog.queued(9)] == [(part.check, "missing")]
    assert catalog.add_copies(lease, [copy_of(part, path="near/other", codec="htj2k")]) == [f"near/{part.check}"]
    assert catalog.queued(9) == []
    assert catalog.known_paths("nearline") == {"near/other"}


def test_a_zombie_adds_nothing(catalog: Catalog, lease: Lease) -> None:
    """Fenced in its transaction; and so is its failure."""
    (part,) = published(catalog, A)
    catalog.take_lease("backup", "run-1", "host:2")
    with pytest.raises(Fenced):
        catalog.add_copies(lease, [copy_of(part)])
    with pytest.raises(Fenced):
        catalog.note_failed_backups(lease, [catalog.queued(1)[0].part_id], "x")
    assert [row.tries for row in catalog.queued(9)] == [0]


def test_copies_are_added_all_or_none(catalog: Catalog, lease: Lease) -> None:
    """Of a part that is not there: nothing is changed."""
    (part,) = published(catalog, A)
    with pytest.raises(NotFound):
        catalog.add_copies(lease, [copy_of(part), copy_of(entry(B, record(B, 1)))])
    assert order(catalog) == [A]


def test_an_exam_without_its_other_copies_is_near(catalog: Catalog, lease: Lease) -> None:
    """Its availability follows its copies."""
    (part,) = published(catalog, A)
    catalog.add_copies(lease, [copy_of(part)])
    catalog.mark_copy(catalog.parts(A)[0].id, "hdfs", "damaged")
    (found,) = catalog.find(Query())
    assert found.availability is Availability.NEARLINE


def test_the_modality_of_most_images(catalog: Catalog) -> None:
    """Of a part; a part without any has none."""
    part = entry(A, record(A, 1), record(A, 2, series=2), record(A, 3, series=2))
    catalog.publish(catalog.take_lease("archive", "run-1", "host:1"), "run-1", [part])
    with catalog.database.write() as conn:
        conn.execute(update(tables.series).where(tables.series.c.uid == f"{A}.2").values(modality="MR"))
    (row,) = catalog.queued(1)
    assert catalog.modalities([row.part_id, 999]) == {row.part_id: "MR"}


def test_an_older_catalog_gets_its_queue(empty_url: str) -> None:
    """Parts without a near-line copy wait since they were published; of those that have one, none does."""
    create_file(empty_url)
    made, config, at = Catalog(empty_url), configuration(), datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
    with made.database.write(checked=False) as conn:
        config.attributes["connection"] = conn
        command.upgrade(config, "0001")
        conn.execute(insert(tables.study).values(uid=A, noted=False))
        for n in (1, 2, 3):
            conn.execute(
                insert(tables.part).values(id=n, study=A, ordinal=n, check=str(n), first_record=0, folder=b"x")
            )
            own = {"part_id": n, "size": 5, "check": str(n), "codec": "original", "form": "file", "state": "verified"}
            since = at + timedelta(days=n) if n < 3 else None
            conn.execute(insert(tables.copy).values(tier="hdfs", path=str(n), verified_at=since, **own))
            if n == 2:
                conn.execute(insert(tables.copy).values(tier="nearline", path="n", **own))
        assert conn.execute(text("SELECT version_num FROM alembic_version")).scalar() == "0001"
    made.upgrade()
    waiting = made.queued(9)
    assert [(row.check, row.size, row.tries) for row in waiting] == [("1", 5, 0), ("3", 5, 0)]
    assert waiting[0].since == at + timedelta(days=1)
    assert datetime.now(UTC) - waiting[1].since < timedelta(minutes=5)
    made.close()
