"""Folders and files that come, go, come back and change their names between nights."""

from __future__ import annotations

import os
import shutil

import pytest

from sdfo.client import Archive as Client
from sdfo.model import Tier
from sdfo.nightly.scan import scan
from sdfo.testing.exams import Series, make_exam
from sdfo.testing.odd import unmounted

SERIES = Series("CT", 1, 16)


def _exams(archive, count: int = 5) -> None:
    for seed in range(count):
        make_exam(archive.san / f"exam{seed}", slices=2, modality="CT", seed=seed, size=16)


def _tiers(archive, uid: str) -> list[Tier]:
    return [copy.tier for copy in Client(archive.settings()).locate(uid)]


def _lines(archive, run: str) -> dict[str, int]:
    found = archive.night(run)
    assert found.good, found.todo
    return {name: n for name, n in found.ledger.lines.items() if n}


def _touched(*paths) -> None:
    """As `chmod` leaves them: only the ctime is new."""
    for path in paths:
        os.chmod(path, os.stat(path).st_mode ^ 0o020)


def test_folders_that_were_removed_on_purpose_count_against_the_fuse_once(archive):
    """More than half of the folders are gone: a person says that it is right, and later nights need not be told again."""
    _exams(archive)
    archive.night("r1")
    for seed in range(3):
        shutil.rmtree(archive.san / f"exam{seed}")
    assert not archive.night("r2").good
    assert archive.night("r3", limits={"shrink": 0}).good
    assert archive.night("r4").good


def test_folders_removed_one_by_one_never_blow_the_fuse(archive):
    """A SAN that keeps three months loses its oldest folder every night, for ever."""
    _exams(archive)
    for night in range(4):
        assert archive.night(f"r{night}").good
        shutil.rmtree(archive.san / f"exam{night}")


def test_a_file_that_is_gone_is_no_longer_located_on_the_san(archive):
    """Removed after it was archived: HDFS alone is named, and an unarchived file leaves no trace."""
    _exams(archive, 1)
    archive.night("r1")
    sop = Series("CT", 0, 16).sop_uid(1)
    assert _tiers(archive, sop) == [Tier.SAN, Tier.HDFS]
    (archive.san / "exam0" / "S001-I00001.dcm").unlink()
    assert _lines(archive, "r2") == {"already archived": 1}
    assert _tiers(archive, sop) == [Tier.HDFS]


@pytest.mark.parametrize("what", ["exam0", "exam0/S001-I00001.dcm"])
def test_what_comes_back_is_read_once_more_and_then_rests(archive, what):
    """Moved away and back, a folder or a file: it is known again after one night, and nothing is written twice."""
    _exams(archive, 3)
    archive.night("r1")
    before = archive.parts()
    (archive.san / what).rename(archive.folder / "away")
    archive.night("r2")
    (archive.folder / "away").rename(archive.san / what)
    back = 2 if what == "exam0" else 1
    assert _lines(archive, "r3") == {"already archived": 6 - back, "archived tonight": back}
    assert _lines(archive, "r4") == {"already archived": 6}
    assert archive.parts() == before
    assert _tiers(archive, Series("CT", 0, 16).sop_uid(1)) == [Tier.SAN, Tier.HDFS]


def test_a_name_used_for_another_exam_after_it_was_freed(archive):
    """The folder's name comes again with another study: it settles in its first scan, and both studies are there."""
    _exams(archive, 2)
    archive.night("r1")
    (archive.san / "exam0").rename(archive.folder / "old")
    archive.night("r2")
    make_exam(archive.san / "exam0", slices=2, modality="CT", seed=7, size=16)
    found = archive.night("r3", san={"root": "san", "settle_minutes": 0.02})
    assert found.ledger.lines["archived tonight"] == 2
    client = Client(archive.settings())
    for seed in (0, 7):
        assert len(list(client.exam(Series("CT", seed, 16).study_uid))) == 2


@pytest.mark.parametrize("move", ["folder", "file", "study"])
def test_what_is_moved_is_not_archived_again(archive, move):
    """A folder renamed, a file renamed, an exam's files moved into another folder: the bytes are held already."""
    _exams(archive, 3)
    archive.night("r1")
    before = archive.parts()
    exam = archive.san / "exam0"
    if move == "folder":
        exam.rename(archive.san / "renamed")
    elif move == "file":
        (exam / "S001-I00001.dcm").rename(exam / "again.dcm")
    else:
        exam.rename(archive.san / "exam1" / "sub")
    lines = _lines(archive, "r2")
    assert lines["archived tonight"] == (1 if move == "file" else 2)
    assert archive.parts() == before
    assert _lines(archive, "r3") == {"already archived": 6}
    client = Client(archive.settings())
    with unmounted(archive.san):
        assert len(list(client.exam(Series("CT", 0, 16).study_uid))) == 2


def test_files_that_were_only_touched_are_not_archived_again(archive):
    """chmod on all of an exam in which nothing says a study, and one late note: only the note is new."""
    exam = archive.san / "a"
    exam.mkdir()
    for n, image in enumerate(SERIES.images(2)):
        (exam / f"IM{n}").write_bytes(image[:300])  # damaged before the study
    archive.night("r1")
    before = archive.parts()
    _touched(*exam.iterdir())
    (exam / "note").write_bytes(b"late")
    assert _lines(archive, "r2") == {"archived tonight": 3}
    (new,) = set(archive.parts()) - set(before)
    from sdfo.sdicom import Part

    with Part.open(archive.place().store, new) as part:
        assert [record.name for record in part.records] == ["note"]


def test_a_received_image_is_archived_the_same_night(archive):
    """A folder that `store` began was never listed: it is looked at twice in its first scan, as any new one."""
    client = Client(archive.settings())
    client.store(next(SERIES.images(1)))
    found = archive.night("r1", san={"root": "san", "settle_minutes": 0.02})
    assert found.ledger.lines["archived tonight"] == 1


def test_empty_and_meaningless_folders(archive):
    """An empty folder, one of notes alone, one of damaged files alone: each is counted, and the last is archived."""
    for name in ("empty", "notes", "damaged"):
        (archive.san / name).mkdir()
    (archive.san / "notes" / "a.txt").write_bytes(b"a note")
    (archive.san / "damaged" / "IM1").write_bytes(next(SERIES.images(1))[:-1])
    assert _lines(archive, "r1") == {"in no exam": 1, "archived tonight": 1}
    assert _lines(archive, "r2") == {"in no exam": 1, "already archived": 1}


def test_a_closed_folder_loses_nothing(archive, monkeypatch):
    """A subfolder that cannot be listed tonight: what the catalog knows of the files in it stays as it is."""
    _exams(archive, 1)
    (archive.san / "exam0" / "sub").mkdir()
    (archive.san / "exam0" / "S001-I00001.dcm").rename(archive.san / "exam0" / "sub" / "x")
    archive.night("r1")
    place = archive.place("r2")
    from dataclasses import replace

    real = place.san.list

    def closed(folder: bytes):
        found = real(folder)
        left = tuple(f for f in found.files if not f.name.startswith(b"sub/"))
        return replace(found, files=left, closed=(b"sub",))

    monkeypatch.setattr(place.san, "list", closed)
    place.catalog.start_run("r2", "local")
    assert scan(place).already == 1
    assert {file.state for file in place.catalog.files(1).values()} == {"archived"}


def test_a_folder_that_never_settles_is_told(archive, monkeypatch):
    """Somebody writes into it every night: nothing of it is archived, and after some days a person hears of it."""
    from sdfo.nightly import report

    _exams(archive, 2)
    settings = {"san": {"root": "san", "settle_minutes": 60}}
    (archive.san / "exam0" / "log").write_bytes(b"1")
    monkeypatch.setattr("sdfo.nightly.scan._Scan._wait", lambda scan: None)
    assert not archive.night("r1", **settings).attention
    monkeypatch.setattr(report, "UNSETTLED_DAYS", 0)
    (archive.san / "exam0" / "log").write_bytes(b"2")
    found = archive.night("r2", **settings)
    assert found.good
    assert [(row.folder, row.fate) for row in found.files] == [("exam0", "settling"), ("exam1", "settling")]
    assert "do not settle" in found.todo[0].what


@pytest.mark.parametrize(("ahead", "settled"), [(0, False), (3600, True), (5, False), (-3600, True)])
def test_a_clock_that_is_off_holds_no_exam_for_ever(archive, monkeypatch, ahead, settled):
    """The SAN's clock against ours, in seconds: an hour ahead says nothing of age, so two equal listings are enough."""
    import time

    _exams(archive, 1)
    monkeypatch.setattr("sdfo.nightly.scan._Scan._wait", lambda scan: None)
    now = time.time()
    monkeypatch.setattr("sdfo.nightly.scan.time.time", lambda: now - ahead)
    place = archive.place("r1", san={"root": "san", "settle_minutes": 1})
    place.catalog.start_run("r1", "local")
    assert (scan(place).tasked, settled) in ((2, True), (0, False))


def test_folders_below_one_that_is_closed_are_not_gone(archive, monkeypatch):
    """Exam folders lie two deep, and one above them cannot be listed tonight: what is known of them stays."""
    deep = {"san": {"root": "san", "settle_minutes": 0, "exam_depth": 2}}
    for ward in "ab":
        make_exam(archive.san / ward / "exam", slices=1, modality="CT", seed=ord(ward), size=16)
    archive.night("r1", **deep)
    place = archive.place("r2", **deep)
    place.catalog.start_run("r2", "local")
    monkeypatch.setattr(place.san, "exams", lambda: ((b"b/exam",), (), (b"a",)))
    scan(place)
    assert "freed" not in {row.state for row in place.catalog.folders().values()}
    assert [file.state for file in place.catalog.files(1).values()] == ["archived"]
