"""Scrub: each copy is read again in its time; what is damaged is found, marked, made again and told of."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sdfo.errors import Fuse, WrongStore
from sdfo.nightly.care.scrub import ScrubReport, scrub
from sdfo.testing.archive import Archive, fill, new_archive
from sdfo.testing.dying import killed_at
from sdfo.testing.expiring import moment, sql

SMALL = {"hdfs": {"root": "hdfs", "max_record_mib": 1}}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Four exams, each with its copies on HDFS and near-line, read a hundred days ago. Tests copy it."""
    archive = new_archive(tmp_path_factory.mktemp("scrub"))
    fill(archive.san, range(4), 16)
    assert archive.night().good
    archive.backup()
    read(archive, 100)
    archive.place().catalog.close()
    return archive


@pytest.fixture
def old(template: Archive, tmp_path: Path) -> Archive:
    return template.copy(tmp_path / "archive")


def read(archive: Archive, days: float, tier: str = "%") -> None:
    """Say that copies were read so long ago."""
    sql(archive, "UPDATE copy SET verified_at = :at WHERE tier LIKE :tier", at=moment(days), tier=tier)


def scrubbed(archive: Archive, run: str = "s1", **flags: object) -> ScrubReport:
    return scrub(archive.place(run, **flags))


def spoil(archive: Archive, tier: str, number: int, at: int = -1) -> Path:
    path = archive.folder / tier / sorted(archive.parts())[number]
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    return path


def states(archive: Archive) -> list[str]:
    catalog = archive.place().catalog
    return [copy.state for tier in ("hdfs", "nearline") for _, copy in catalog.page_of_copies(tier)]


def test_what_is_due_is_read(old: Archive) -> None:
    """All that is older than it may be, in one night; the next finds nothing due, and reads its share all the same."""
    done = scrubbed(old)
    assert (done.copies, done.damaged, done.due, done.oldest) == (8, 0, 0, 0)
    assert done.bytes == 2 * sum((old.folder / "hdfs" / path).stat().st_size for path in old.parts())
    assert scrubbed(old, "s2").copies == 1
    assert old.place().catalog.lease_holder("scrub") is None


def test_a_share_each_night_the_oldest_first(old: Archive) -> None:
    """Two days of four are half of all, a night; none is read twice before the others were."""
    read(old, 1)
    sql(old, "UPDATE copy SET verified_at = :at WHERE part_id = 3", at=moment(2))
    flags = {"expire": {"scrub_days": 4}}
    first = scrubbed(old, **flags)
    assert first.copies == 2
    fresh = [copy.part_id for tier in ("hdfs", "nearline") for _, copy in old.place().catalog.page_of_copies(tier)]
    assert sorted(fresh) == [1, 1, 2, 2, 3, 3, 4, 4]
    left = old.place().catalog.oldest_copies(["hdfs", "nearline"], 9, first_read(old))  # type: ignore[list-item]
    assert {part.id for part, _ in left} == {1, 2, 4}
    assert scrubbed(old, "s2", **flags).copies == 2


def first_read(archive: Archive) -> object:
    row = archive.place().catalog.steps("s1")["scrub"]
    return row.started


@pytest.mark.parametrize("at", [-1, 300, 5])
def test_a_flipped_bit_on_hdfs_is_found_and_mended(old: Archive, at: int) -> None:
    """In a record, in the header, in the magic: made again from near-line, the same bytes."""
    before = old.parts()
    path = spoil(old, "hdfs", 1, at)
    done = scrubbed(old)
    assert (done.damaged, done.repaired, done.lost) == (1, 1, 0)
    (row,) = done.rows
    assert (row.tier, row.done, str(old.folder / "hdfs" / row.path)) == ("hdfs", "restored", str(path))
    assert old.parts() == before
    assert set(states(old)) == {"verified"}


def test_a_missing_copy_on_near_line_is_made_again(old: Archive) -> None:
    """By the next backup, for which it waits."""
    (old.folder / "nearline" / sorted(old.parts())[0]).unlink()
    done = scrubbed(old)
    assert (done.damaged, done.queued, done.rows[0].why) == (1, 1, "missing")
    assert old.backup("b2").parts == 1
    assert old.near() == old.parts()


def test_what_is_lost_on_both_is_told(old: Archive) -> None:
    """Neither can be made from the other: 1 for whoever runs it, and nothing is removed."""
    shutil.rmtree(old.san)
    spoil(old, "hdfs", 0)
    spoil(old, "nearline", 0)
    done = scrubbed(old)
    assert (done.damaged, done.lost, done.repaired) == (2, 2, 0)
    assert sorted(states(old)) == ["damaged"] * 2 + ["verified"] * 6
    assert scrubbed(old, "s2").damaged == 0  # known, and no longer read


def test_the_command_ends_with_1_when_something_is_lost(old: Archive) -> None:
    """And names it."""
    shutil.rmtree(old.san)
    spoil(old, "hdfs", 0)
    spoil(old, "nearline", 0)
    done = old.sdfo("scrub", "--run", "s1")
    assert done.returncode == 1
    assert '"lost": 2' in done.stdout


def test_a_store_that_is_not_there_marks_nothing(old: Archive) -> None:
    """Not mounted: refused. Half mounted: the fuse."""
    (old.folder / "nearline").rename(old.folder / "away")
    with pytest.raises(WrongStore):
        scrubbed(old)
    shutil.copytree(old.folder / "away", old.folder / "nearline")
    shutil.rmtree(old.folder / "nearline" / "exams")
    with pytest.raises(Fuse):
        scrubbed(old, "s2", limits={"same_error_files": 4})
    assert set(states(old)) == {"verified"}
    assert scrubbed(old, "s3", limits={"same_error": 1}).queued == 4


def test_a_nas_that_goes_away_meanwhile_loses_no_copy(old: Archive) -> None:
    """However few copies it misses, far below the fuse."""
    place = old.place("s1")
    _ = place.nearline
    (old.folder / "nearline").rename(old.folder / "away")
    (old.folder / "nearline").mkdir()
    with pytest.raises(WrongStore):
        scrub(place)
    assert set(states(old)) == {"verified"}


@pytest.mark.parametrize("point", ["scrub.read", "scrub.marked"])
def test_killed_it_is_made_good_by_the_next(old: Archive, point: str) -> None:
    """What was read and not noted is read again."""
    spoil(old, "hdfs", 1)
    before = old.near()
    assert killed_at(point, lambda: scrubbed(old))
    scrubbed(old)
    if point == "scrub.marked":  # known to be damaged: what is lost is looked for by listing
        from sdfo.nightly.care.restore import restore

        restore(old.place("x"), None)
    assert old.parts() == before
    assert set(states(old)) == {"verified"}
