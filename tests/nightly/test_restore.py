"""Restore: what is damaged or lost on a tier is named and made again; what cannot be is told, and nothing is called lost for a store that is away."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from sdfo.catalog import Availability, Query
from sdfo.client import Archive as Client
from sdfo.errors import WrongStore
from sdfo.nightly.care.gc import gc
from sdfo.nightly.care.restore import restore
from sdfo.testing.archive import APART, Archive, fill
from sdfo.testing.exams import make_exam


def spoil(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1] + b"\xff")


def swap(one: Path, other: Path) -> None:
    one.write_bytes(other.read_bytes())


def test_a_bad_near_line_copy_is_noticed_named_and_replaced(backed: Archive) -> None:
    """Missing, damaged and swapped: each is told by its path, waits, and is made again; what lay there is no more."""
    before = backed.near()
    gone, bad, other = (backed.folder / "nearline" / path for path in before)
    gone.unlink()
    spoil(bad)
    whys = ["missing", "damaged: ", ""]
    swap(other, backed.folder / "hdfs" / sorted(backed.parts())[0])
    whys[2] = "another file lies at its name"
    for path, why in zip(before, whys, strict=True):
        found = restore(backed.place("x"), Path(path).name.split("-")[0])
        (row,) = found.rows
        assert (row.tier, row.path) == ("nearline", path)
        assert row.why.startswith(why)
        assert row.good
    assert backed.place().catalog.queue().parts == 3
    assert backed.backup("b2").parts == 3
    assert backed.near() == before
    assert restore(backed.place("y"), None).rows == ()
    assert backed.no_attempts()


def test_a_bad_copy_on_hdfs_is_restored(backed: Archive) -> None:
    """Missing, damaged, swapped: the part comes back under its own name, byte for byte, and is verified."""
    before = backed.parts()
    gone, bad, other = (backed.folder / "hdfs" / path for path in before)
    gone.unlink()
    spoil(bad)
    swap(other, backed.folder / "nearline" / sorted(before)[0])
    studies = [Path(path).name.split("-")[0] for path in before]
    for study in studies:
        dry = restore(backed.place("d"), study, dry_run=True)
        assert [row.done for row in dry.rows] == ["would be restored"]
        assert (restored := restore(backed.place("x"), study)).restored == 1
        assert restored.lost == 0
    assert backed.parts() == before
    catalog = backed.place().catalog
    assert {copy.state for study in studies for copy in catalog.copies(catalog.parts(study)[0].id)} == {"verified"}
    gc(backed.place(), keep_seconds=0)
    assert not list(backed.place().store.list("attempts"))


def test_all_that_is_lost_is_found_by_listing(archive: Archive) -> None:
    """`restore --lost`: on both tiers, with the files beside a part; what cannot be restored is named, and exit is 1."""
    make_exam(archive.san / "large", slices=1, modality="CT", seed=7, size=1024)
    fill(archive.san, range(3), 16)
    archive.night(**APART)
    archive.backup(**APART)
    before = archive.parts()
    beside = next(path for path in before if path.endswith(".dcm"))
    first, second, third = (path for path in before if "-" in path and Path(path).name.split("-")[0] not in beside)
    (archive.folder / "hdfs" / beside).unlink()
    (archive.folder / "hdfs" / first).unlink()
    (archive.folder / "nearline" / second).unlink()
    for tier in ("hdfs", "nearline"):
        (archive.folder / tier / third).unlink()
    archive.san.rename(archive.folder / "san-elsewhere")
    archive.san.mkdir()
    shutil.copy(archive.folder / "san-elsewhere" / ".sdfo-san", archive.san)
    code, said = archive.command("restore", "--lost", "--dry-run")
    assert code == 1
    assert "would be restored" in said
    code, said = archive.command("restore", "--lost", "--run", "x", SDFO__HDFS__MAX_RECORD_MIB="1")
    assert code == 1, said
    assert f'"path": "{third}"' in said
    assert "its near-line copy is not whole either: missing" in said
    assert archive.backup("b2", **APART).parts == 1
    assert archive.parts() == {path: sha for path, sha in before.items() if path != third}
    assert archive.near() == archive.parts()


@pytest.mark.parametrize("lost", [True, False])
def test_a_restore_calls_nothing_lost_on_a_nas_that_goes_away(backed: Archive, lost: bool) -> None:
    """Once it was found mounted: else all of the archive would be copied again."""
    place, study = backed.place("x"), Path(next(iter(backed.parts()))).name.split("-")[0]
    assert place.nearline
    (backed.folder / "nearline").rename(backed.folder / "away")
    with pytest.raises(WrongStore, match="is it mounted"):
        restore(place, None if lost else study)
    assert place.catalog.queue().parts == 0
    (backed.folder / "away").rename(backed.folder / "nearline")
    assert restore(backed.place("y"), None).rows == ()


def test_reading_falls_through_to_near_line(backed: Archive, tmp_path: Path) -> None:
    """Off the SAN, and damaged or gone on HDFS: the reader gives the original bytes, and tells which copy was bad."""
    images = {hashlib.sha256(file.read_bytes()).hexdigest() for file in backed.san.rglob("*.dcm")}
    backed.san.rename(backed.folder / "san-elsewhere")
    backed.san.mkdir()
    gone, bad, _ = (backed.folder / "hdfs" / path for path in backed.parts())
    gone.unlink()
    file = bytearray(bad.read_bytes())
    file[-300] ^= 1
    bad.write_bytes(bytes(file))
    client = Client(backed.settings())
    for row in client.find(Query()):
        client.get(row.study, tmp_path / "back")
    found = {hashlib.sha256(file.read_bytes()).hexdigest() for file in (tmp_path / "back").rglob("*") if file.is_file()}
    assert found == images
    assert {fault.tier for fault in client.faults} == {"san", "hdfs"}


def test_an_exam_lost_on_both_tiers_comes_back_from_the_san(backed: Archive) -> None:
    """While its files are there; else each copy is told."""
    before = backed.parts()
    path = next(iter(before))
    study = Path(path).name.split("-")[0]
    copies = [backed.folder / tier / path for tier in ("hdfs", "nearline")]
    for copy in copies:
        copy.unlink()
    found = restore(backed.place("x"), study)
    assert (found.restored, found.queued, found.lost) == (1, 1, 0)
    assert backed.parts() == before
    backed.backup("b2")
    for copy in copies:
        copy.unlink()
    shutil.rmtree(backed.san)
    backed.san.mkdir()
    assert restore(backed.place("y"), study).lost == 2


def test_an_exam_lost_on_both_tiers_is_told(backed: Archive) -> None:
    """Each copy; what its files on the SAN still serve stays online, though they make another part than they did."""
    path = next(iter(backed.parts()))
    study = Path(path).name.split("-")[0]
    (folder,) = {location.folder for location in backed.place().catalog.locate(study)}
    next(backed.san.joinpath(os.fsdecode(folder)).iterdir()).unlink()
    for tier in ("hdfs", "nearline"):
        (backed.folder / tier / path).unlink()
    assert restore(backed.place("x"), study).lost == 2
    (row,) = backed.place().catalog.find(Query(study=study))
    assert row.availability is Availability.ONLINE
