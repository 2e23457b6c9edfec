"""The backup of the catalog as a step: one private file on two tiers, proven, thinned, and the way back from it."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest

from sdfo.catalog import Catalog
from sdfo.catalog.dump import Dump
from sdfo.errors import CatalogError, Full, NotFound, Postponed, SdfoError, WrongStore
from sdfo.nightly.care.catalog_backup import STEP, backups, catalog_backup, chosen, prove
from sdfo.stores.local import LocalStore
from sdfo.testing.archive import Archive, fill, new_archive
from sdfo.testing.exams import study_uid


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """One night over two exams."""
    made = new_archive(tmp_path)
    fill(made.san, range(2))
    assert made.night().good
    return made


def test_one_private_file_on_both_tiers(archive: Archive) -> None:
    """Named by its content, for its owner alone, equal on HDFS and near-line; the step is done, and says so."""
    done = catalog_backup(archive.place("r1"))
    for tier in ("hdfs", "nearline"):
        file = archive.folder / tier / done.path
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        assert (digest, f"-{digest[:16]}.zip" in file.name) == (done.sha256, True)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE((archive.folder / tier / "state").stat().st_mode) == 0o700
        assert not list((archive.folder / tier / "attempts").rglob("catalog-*"))
    step = archive.place().catalog.steps("r1")[STEP]
    assert (step.state, step.report["path"], step.report["nearline"]) == ("done", done.path, True)
    assert archive.place().catalog.lease_holder(STEP) is None


def test_it_is_no_night(archive: Archive) -> None:
    """A run that only backed up the catalog is not among the nights; in a night's own run it is a step of it."""
    catalog_backup(archive.place("other"))
    assert [run.run for run in archive.place().catalog.runs()] == ["r1"]
    catalog_backup(archive.place("r1"))
    assert archive.place().catalog.runs()[0].engine == "local"
    assert archive.place().catalog.last_step(STEP, "done")[0] == "r1"  # type: ignore[index]


def test_old_ones_are_thinned(archive: Archive) -> None:
    """So many stay on each tier, the newest; nothing else in the folder is touched."""
    kept = archive.settings().model_copy(
        update={"catalog": archive.settings().catalog.model_copy(update={"backups_kept": 2})}
    )
    store = archive.place().store
    store.put("state/catalog/note.txt", b"mine")
    old = [f"state/catalog/2020010{day}T000000.000000-{'0' * 16}.zip" for day in (1, 2, 3)]
    for path in old:
        store.put(path, b"")
    from sdfo.nightly.place import Place

    done = catalog_backup(Place(kept, "r1"))
    assert done.removed == 2
    assert backups(store) == [old[2], done.path]
    assert store.read_all("state/catalog/note.txt") == b"mine"
    assert len(backups(archive.place().nearline)) == 1


def test_near_line_that_is_away_postpones(archive: Archive) -> None:
    """The copy on HDFS is made; the step is not done before near-line has it too."""
    (archive.folder / "nearline").rename(archive.folder / "away")
    (archive.folder / "nearline").mkdir()
    with pytest.raises((Postponed, WrongStore)):
        catalog_backup(archive.place("r1"))
    assert len(backups(archive.place().store)) == 1
    assert archive.place().catalog.steps("r1")[STEP].state in ("postponed", "failed")
    shutil.rmtree(archive.folder / "nearline")
    (archive.folder / "away").rename(archive.folder / "nearline")
    assert catalog_backup(archive.place("r1")).nearline
    assert archive.place().catalog.steps("r1")[STEP].state == "done"


class Flipping(LocalStore):
    """A disk that keeps one bit of a catalog's backup wrong."""

    def create(self, path: str, *, private: bool = False) -> Any:
        sink = super().create(path, private=private)
        if path.endswith(".zip"):
            write = sink.write
            sink.write = lambda *data: write(*(bytes(each[:-1]) + bytes([each[-1] ^ 1]) for each in data))  # type: ignore[method-assign]
        return sink


@pytest.mark.parametrize("tier", ["store", "nearline"])
def test_what_reads_back_otherwise_gets_no_name(archive: Archive, tier: str) -> None:
    """One flipped bit on either tier: the step fails, and no file there has the name of a backup."""
    place = archive.place("r1")
    whole = getattr(place, tier)
    place.__dict__[tier] = Flipping(whole.root)
    with pytest.raises(SdfoError, match=r"reads back|no whole dump|not in the dump"):
        catalog_backup(place)
    assert backups(whole) == []
    assert archive.place().catalog.steps("r1")[STEP].state == "failed"


def test_a_full_disk_is_told_as_such(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not as a write that failed because an earlier one did."""
    place = archive.place("r1")

    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "writev", full)
    with pytest.raises(Full):
        catalog_backup(place)


def test_the_newest_of_all_tiers_is_chosen(archive: Archive) -> None:
    """On HDFS where both have it; what is lost there is taken from near-line; a damaged one is passed over."""
    first, second = (catalog_backup(archive.place("r1")).path for _ in range(2))
    assert chosen(archive.place())[0::2] == ("hdfs", max(first, second))
    archive.place().store.delete(max(first, second))
    assert chosen(archive.place())[0::2] == ("nearline", max(first, second))
    assert chosen(archive.place(), min(first, second))[0] == "hdfs"
    with pytest.raises(NotFound):
        chosen(archive.place(), "state/catalog/20200101T000000.000000-0000000000000000.zip")
    file = archive.folder / "hdfs" / min(first, second)
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(CatalogError, match="damaged"):
        prove(archive.place().store, min(first, second))
    tier, _, path, damaged = chosen(archive.place(), min(first, second))
    assert (tier, path, damaged) == (
        "nearline",
        min(first, second),
        (f"{min(first, second)} on hdfs: the backup is damaged",),
    )


def test_a_lost_catalog_comes_back_by_one_command(archive: Archive) -> None:
    """Backup, another night, the catalog is deleted: restored with that night; the next one finds nothing new."""
    said = archive.sdfo("catalog", "backup", "--run", "r1")
    assert json.loads(said.stdout)["step"] == STEP, said.stderr
    fill(archive.san, range(2, 3))
    assert archive.night("r2").good
    before = archive.sdfo("find").stdout
    for file in archive.folder.glob("catalog.db*"):
        file.unlink()
    done = json.loads(archive.sdfo("catalog", "restore").stdout)
    assert (done["missing"], done["refused"], done["tier"]) == ([], [], "hdfs")
    assert done["lines"] > 0
    assert archive.sdfo("find").stdout == before
    third = archive.night("r3")
    assert (third.ledger.lines.get("archived tonight", 0), third.balanced) == (0, True)
    refused = archive.sdfo("catalog", "restore")
    assert (refused.returncode, "not empty" in refused.stderr) == (1, True)


def test_hdfs_is_lost_with_the_catalog(archive: Archive) -> None:
    """Near-line alone gives the catalog back, with what a rebuild could not know without the journal."""
    catalog_backup(archive.place("r1"))
    archive.backup()
    catalog_backup(archive.place("r1"))
    shutil.rmtree(archive.folder / "hdfs")
    for file in archive.folder.glob("catalog.db*"):
        file.unlink()
    assert archive.sdfo("init").returncode == 0
    for file in archive.folder.glob("catalog.db*"):
        file.unlink()
    done = archive.sdfo("catalog", "restore")
    assert json.loads(done.stdout)["tier"] == "nearline", done.stderr
    catalog = Catalog(archive.settings().catalog.url)
    assert catalog.copies(catalog.parts(study_uid(0))[0].id)[1].tier == "nearline"
    path = chosen(archive.place())[2]
    with archive.place().nearline.open(path) as source:
        assert Dump(source).contents.tables["part"] == 2


def test_a_damaged_backup_is_passed_over(archive: Archive) -> None:
    """The newest is damaged on both tiers: the one before it is taken, the journal makes up for the rest, and it is told."""
    first, second = sorted(catalog_backup(archive.place("r1")).path for _ in range(2))
    for tier in ("hdfs", "nearline"):
        (archive.folder / tier / second).write_bytes(b"PK")
    before = archive.place().catalog.volumes(), [part for part, _ in archive.place().catalog.page_of_copies("hdfs")]
    archive.place().catalog.close()
    for file in archive.folder.glob("catalog.db*"):
        file.unlink()
    said = archive.sdfo("catalog", "restore")
    found = json.loads(said.stdout)
    assert (said.returncode, found["backup"], len(found["damaged"])) == (1, first, 2), said.stderr
    after = archive.place().catalog.volumes(), [part for part, _ in archive.place().catalog.page_of_copies("hdfs")]
    assert after == before
    for tier in ("hdfs", "nearline"):
        (archive.folder / tier / first).write_bytes(b"PK")
    said = archive.sdfo("catalog", "restore", "--replace")
    assert json.loads(said.stdout)["what"] == "no backup of the catalog is whole"


def test_the_newest_is_kept_when_the_clock_was_set_back(archive: Archive) -> None:
    """Others have later names: the one just made is the only one that was proven today."""
    store = archive.place().store
    for day in range(1, 9):
        store.put(f"state/catalog/2999010{day}T000000.000000-0000000000000000.zip", b"")
    made = catalog_backup(archive.place("r1", catalog={"url": "sqlite:///catalog.db", "backups_kept": 2})).path
    assert store.has(made)
