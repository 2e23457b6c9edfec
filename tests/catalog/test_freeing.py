"""What the gate asks the catalog, and which copies a scrub reads next: the same answers of both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from sqlalchemy import update

from sdfo.catalog import Catalog, FileMark, Freed, HoldKind, Lease, NewCopy, PartEntry, QuarantineNote, entry_of, tables
from sdfo.errors import Fenced
from sdfo.model import FileStamp, Form, Tier
from sdfo.sdicom import Part
from sdfo.stores.local import LocalStore
from sdfo.testing.exams import Series
from sdfo.testing.parts import write_part

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SERIES = [Series("CT", seed, 16) for seed in range(4)]
STUDIES = [series.study_uid for series in SERIES]


@pytest.fixture
def lease(catalog: Catalog) -> Lease:
    return catalog.take_lease("expire", "r1", "host")


@pytest.fixture
def filled(catalog: Catalog, store: LocalStore, lease: Lease) -> Catalog:
    """Four exams of a folder and a file each, on HDFS and near-line; the first was seen four days ago, the last one ago."""
    parts = [_part(catalog, store, number) for number in range(4)]
    catalog.publish(catalog.take_lease("archive", "r1", "h"), "r1", parts)
    copies = [NewCopy(p.study, p.check, Tier.NEARLINE, p.path, p.size, p.check, "original", Form.FILE) for p in parts]
    catalog.add_copies(lease, copies)
    for number in range(4):
        _aged(catalog, number, 4 - number)
    return catalog


def _part(catalog: Catalog, store: LocalStore, number: int) -> PartEntry:
    image = next(SERIES[number].images(1))
    folder = b"e\xff%d" % number
    path = write_part(store, STUDIES[number], folder, {b"1": image})
    with Part.open(store, path) as part:
        made = entry_of(part, path, part.size, "hdfs", "original")
    stamp = FileStamp(b"1", len(image), 1, 2)
    mark = FileMark(catalog.folder(folder), stamp, made.instances[0].sha256, first_seen=NOW)
    return replace(made, files=(mark,))


def _aged(catalog: Catalog, number: int, days: float) -> None:
    at = NOW - timedelta(days=days)
    file, copy = tables.san_file, tables.copy
    with catalog.database.write() as conn:
        conn.execute(update(file).where(file.c.study == STUDIES[number]).values(first_seen=at))
        conn.execute(update(copy).where(copy.c.part_id == number + 1).values(verified_at=at))


def freed(catalog: Catalog, number: int) -> Freed:
    folder = b"e\xff%d" % number
    file = catalog.files(catalog.folder(folder))[b"1"]
    return Freed(folder, b"1", file.size, file.digest or "", STUDIES[number], file.first_seen)


def test_old_folders_come_oldest_first(filled: Catalog) -> None:
    """Those first seen before a moment, with what is old in them; freed ones no more."""
    size = freed(filled, 0).size
    found = filled.old_folders(NOW - timedelta(days=1.5))
    assert [(row.path, row.files, row.bytes) for row in found] == [(b"e\xff%d" % n, 1, size) for n in range(3)]
    assert filled.on_san() == (4, 4 * size)
    filled.free(filled.take_lease("expire", "r1", "h"), "r1", [freed(filled, 0)], [b"e\xff0"])
    assert [row.path for row in filled.old_folders(NOW)] == [b"e\xff%d" % n for n in (1, 2, 3)]
    assert filled.on_san() == (3, 3 * size)


def test_the_facts_of_an_exam(filled: Catalog) -> None:
    """Which part holds which file, where its copies are, who holds it, what is set aside of it or of its folder."""
    study, folder = STUDIES[1], filled.folder(b"e\xff1")
    (facts,) = filled.exam_facts([study], folder).values()
    (part,) = filled.parts(study)
    assert facts.holding == {freed(filled, 1).sha256: (part.id,)}
    assert [copy.tier for copy in facts.copies[part.id]] == [Tier.HDFS, Tier.NEARLINE]
    assert (facts.modalities, facts.newest, len(facts.date)) == (("CT",), NOW - timedelta(days=3), 8)
    assert (facts.holds, facts.entries) == ((), 0)
    number = filled.hold(HoldKind.STUDY, [study], "", "ann")
    filled.open_quarantine("r1", QuarantineNote("unreadable", b"x"), study=None, folder_id=folder)
    filled.open_quarantine("r1", QuarantineNote("conflict"), study=study, folder_id=None)
    (facts,) = filled.exam_facts([study], folder).values()
    assert (facts.holds, facts.entries) == ((number,), 2)


def test_the_last_question_before_a_removal(filled: Catalog, lease: Lease) -> None:
    """Nobody holds it, nothing is set aside, and the token is the newest."""
    study = STUDIES[2]
    assert filled.may_go(lease, study)
    entry = filled.open_quarantine("r1", QuarantineNote("conflict"), study=study, folder_id=None)
    assert not filled.may_go(lease, study)
    filled.resolve_quarantine(entry, "accepted")
    assert filled.may_go(lease, study)
    filled.hold(HoldKind.STUDY, [study], "", "ann")
    assert not filled.may_go(lease, study)
    filled.take_lease("expire", "r1", "host")
    with pytest.raises(Fenced):
        filled.may_go(lease, STUDIES[3])


def test_files_in_their_grace(filled: Catalog, lease: Lease) -> None:
    """They are freed, known where they lie, and forgotten once; told twice they are once."""
    file = freed(filled, 0)
    for _ in range(2):
        filled.free(lease, "r1", [file], [b"e\xff0"], NOW)
    (row,) = filled.in_grace()
    assert (row.run, row.file, row.since) == ("r1", file, NOW)
    assert filled.known_file(b"e\xff0", b"1") == file
    assert filled.known_file(b"e\xff0", b"2") is None
    assert filled.folders()[b"e\xff0"].state == "freed"
    assert filled.locate(STUDIES[0])[0].tier is Tier.HDFS
    filled.forget_in_grace(lease, [("r1", b"e\xff0", b"1")])
    assert filled.in_grace() == []


def test_copies_are_read_oldest_first(filled: Catalog, lease: Lease) -> None:
    """Those never read again first; not one that is known to be damaged, nor one that was read since."""
    tiers = (Tier.HDFS, Tier.NEARLINE)
    filled.mark_copy(2, "nearline", "damaged", "missing")
    filled.mark_copies(lease, [(4, "hdfs", "written", None)])
    with filled.database.write() as conn:
        copy = tables.copy.c
        conn.execute(update(tables.copy).where(copy.part_id == 4, copy.tier == "hdfs").values(verified_at=None))
    order = [(copy.part_id, str(copy.tier)) for _, copy in filled.oldest_copies(tiers, 9, NOW)]
    assert order[0] == (4, "hdfs")
    assert sorted(order[1:3]) == [(1, "hdfs"), (1, "nearline")]
    assert order[3:] == [(2, "hdfs"), *order[4:6], (4, "nearline")]
    assert len(filled.oldest_copies(tiers, 3, NOW)) == 3
    filled.mark_copies(lease, [(1, "hdfs", "verified", None)])
    assert (1, "hdfs") not in [(c.part_id, c.tier) for _, c in filled.oldest_copies(tiers, 9, NOW)]
    assert filled.size_of_copies([Tier.NEARLINE]) == 3 * filled.copies(1)[0].size


def test_a_lot_falls_on_each(filled: Catalog) -> None:
    """As many as wanted, none twice; all of them where there are fewer."""
    drawn = {part.id for n in range(60) for part, _ in filled.some_copies(Tier.NEARLINE, 1, Random(n))}
    assert drawn == {1, 2, 3, 4}
    assert len(filled.some_copies(Tier.NEARLINE, 3, Random(1))) == 3
    assert len(filled.some_copies(Tier.NEARLINE, 9, Random(1))) == 4
    assert filled.some_copies(Tier.TAPE, 9, Random(1)) == []
    assert filled.originals(1) == [freed(filled, 0).sha256]


def test_marks_of_the_gate(catalog: Catalog) -> None:
    """One of each name, replaced or gone."""
    catalog.mark_gate("clock", {"wall": 1.5})
    catalog.mark_gate("clock", {"wall": 2.5})
    assert catalog.gate_marks()["clock"][1] == {"wall": 2.5}
    catalog.mark_gate("clock", None)
    assert catalog.gate_marks() == {}
