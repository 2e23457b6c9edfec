"""Attempts to lose an image by freeing the SAN: clocks that were wrong, names that are used again, records that are missing."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from typing import Any

import pydicom
import pytest

from sdfo.catalog import Catalog, QuarantineNote, Query, tables
from sdfo.catalog.holds import HoldKind
from sdfo.catalog.rebuild import rebuild
from sdfo.nightly.care.catalog_backup import catalog_backup
from sdfo.nightly.care.scrub import scrub
from sdfo.nightly.freeing.clock import Clock
from sdfo.nightly.freeing.expire import YOUNG, expire
from sdfo.nightly.freeing.reopening import reopen
from sdfo.testing.archive import Archive, fill
from sdfo.testing.exams import make_exam
from sdfo.testing.expiring import FREE, age, end_grace, files_of, freed, moment, sql, studies
from sdfo.tiers.aside import Aside


def test_what_was_done_by_a_clock_that_was_ahead_opens_nothing(ripe: Archive) -> None:
    """Set back, it would be "done lately" until that day comes: a drill that failed since would not be seen, nor that no
    backup was made."""
    catalog = ripe.place().catalog
    sql(ripe, "UPDATE outcome SET ended = :at, started = :at WHERE step = 'drill'", at=moment(-300))
    catalog.start_run("since", "local")
    catalog.note_step("since", "drill", "failed", {"green": False})
    assert freed(ripe).alone == {"last drill green": 4}
    catalog.note_step("since", "drill", "done", {"green": True})
    sql(ripe, "UPDATE outcome SET ended = :at, started = :at WHERE step = 'catalog-backup'", at=moment(-300))
    assert freed(ripe, "e2").alone == {"catalog backed up tonight": 4}
    catalog.note_step("since", "catalog-backup", "done", {})
    assert freed(ripe, "e3").files == 4


def test_copies_that_a_clock_ahead_read_are_read_again(ripe: Archive) -> None:
    """Else nobody would see them rot before that day comes, and all the while they would count as read lately."""
    sql(ripe, "UPDATE copy SET verified_at = :at", at=moment(-300))
    assert freed(ripe).alone == {"nearest copy re-read lately": 4}
    assert scrub(ripe.place("s1")).copies == 4
    assert freed(ripe, "e2").files == 4


def test_a_name_that_is_used_again_has_its_own_days(ripe: Archive) -> None:
    """A scanner that counts its folders from the beginning: the new exam stays, whatever lay there before, removed or not."""
    assert freed(ripe).files == 4
    end_grace(ripe)
    assert freed(ripe, "e2").removed == 4
    make_exam(ripe.san / "exam00", slices=2, modality="CT", seed=77, size=16)
    fill(ripe.san, range(1, 2), 16)
    assert ripe.night("r2").good
    ripe.backup("b2")
    before = files_of(ripe.san)
    found = freed(ripe, "e3")
    assert (found.files, found.alone) == (0, {YOUNG: 4})
    assert files_of(ripe.san) == before


def _late(archive: Archive, study: str, patient: str) -> None:
    """An image of a study that comes late, under another patient's id."""
    found = (path for path in sorted(archive.san.rglob("*.dcm")) if pydicom.dcmread(path).StudyInstanceUID == study)
    ds = pydicom.dcmread(path := next(found))
    ds.PatientID, ds.SOPInstanceUID = patient, f"{ds.SOPInstanceUID}.9"
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.save_as(path.parent / "late.dcm")


def test_a_corrected_patient_id_frees_nothing(ripe: Archive) -> None:
    """A hold on a patient: an image that comes late and names the patient otherwise does not end it, nor does a rebuild."""
    place = ripe.place()
    catalog: Catalog = place.catalog
    (row, *_) = catalog.find(Query())
    catalog.hold(HoldKind.PATIENT, [row.patient_id], "court", "ann")
    covered = catalog.held([row.study])
    assert covered == {row.study: (1,)}
    _late(ripe, row.study, "CORRECTED")
    assert ripe.night("r2").good
    assert catalog.held([row.study]) == covered
    assert freed(ripe).files == 2
    rebuild(catalog, place.store, place.mounted_nearline, replace=True)
    assert catalog.held([row.study]) == covered


def test_what_is_set_aside_in_another_folder_of_the_exam_keeps_all_of_it(ripe: Archive) -> None:
    """A file that cannot be read shows no study: it may be of any that has files in its folder."""
    (ripe.san / "more").mkdir()
    (ripe.san / "exam00" / "S001-I00002.dcm").rename(ripe.san / "more" / "x.dcm")
    assert ripe.night("r2").good
    age(ripe, 91)
    catalog = ripe.place().catalog
    folder = catalog.folders()[b"more"].id
    catalog.open_quarantine("r2", QuarantineNote("unreadable", b"y"), study=None, folder_id=folder)
    found = freed(ripe)
    assert (found.files, found.alone) == (2, {"nothing set aside": 2})


@pytest.mark.parametrize("what", ["link", "folder"])
def test_what_takes_a_files_place_right_before_it_is_moved_is_put_back(
    ripe: Archive, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the last look and the move nobody can look: what was moved is no file, and lies where it lay."""
    real, first = Aside._move, ripe.san / "exam00" / "S001-I00001.dcm"

    def replacing(self: Aside, old: tuple[bytes, ...], new: tuple[bytes, ...]) -> bool:
        if old[0] == b"exam00" and first.is_file() and not first.is_symlink():
            first.rename(ripe.folder / "elsewhere")
            if what == "link":
                first.symlink_to(ripe.folder / "elsewhere")
            else:
                first.mkdir()
                (first / "new").write_bytes(b"new")
        return real(self, old, new)

    monkeypatch.setattr(Aside, "_move", replacing)
    found = freed(ripe)
    assert (found.files, found.back) == (3, 1)
    assert first.is_symlink() if what == "link" else (first / "new").read_bytes() == b"new"
    assert (ripe.folder / "elsewhere").exists()


@pytest.mark.parametrize("cut", [True, False])
def test_a_backup_of_the_catalog_that_is_gone_is_none(ripe: Archive, cut: bool) -> None:
    """Somebody removed it since, or the disk did."""
    made = catalog_backup(ripe.place("c1"))
    assert expire(ripe.place("e0", **FREE), dry_run=True).files == 4
    path = ripe.folder / "hdfs" / made.path
    if cut:
        path.write_bytes(path.read_bytes()[:-1])
    else:
        path.unlink()
    assert freed(ripe).alone == {"catalog backed up tonight": 4}


def test_a_catalog_put_back_by_its_database_opens_nothing(ripe: Archive) -> None:
    """By a dump of its own, behind our back: a hold that was placed since is not in it. A person opens the gate again."""
    day = "json_set(value, '$.wall', value ->> '$.wall' - 86400, '$.since_boot', value ->> '$.since_boot' - 86400)"
    with (
        closing(sqlite3.connect(ripe.folder / "catalog.db")) as now,
        closing(sqlite3.connect(ripe.folder / "dump")) as conn,
    ):
        now.backup(conn)
        conn.execute(f"UPDATE gate SET value = {day} WHERE name = 'clock'")
        conn.commit()
    expire(ripe.place("e0", **FREE), dry_run=True)
    catalog = ripe.place().catalog
    catalog.hold(HoldKind.STUDY, studies(ripe), "court", "ann")
    catalog.close()
    for path in ripe.folder.glob("catalog.db*"):
        path.unlink()
    shutil.move(ripe.folder / "dump", ripe.folder / "catalog.db")
    assert ripe.place().catalog.holds() == []
    assert [freed(ripe, run).alone for run in ("e1", "e2")] == [{"clock to be believed": 4}] * 2
    reopen(ripe.place(), Clock())
    assert freed(ripe, "e3").files == 4


def test_a_dry_run_leaves_nothing_but_what_the_clock_said(ripe: Archive) -> None:
    """No row of the catalog and no file anywhere is other than before, down to times and inodes."""
    rows, tree = _rows(ripe), _tree(ripe)
    expire(ripe.place("e1", **FREE), dry_run=True)
    assert _tree(ripe) == tree
    assert {name for name, found in _rows(ripe).items() if found != rows[name]} == {"gate"}


def _rows(archive: Archive) -> dict[str, list[Any]]:
    with archive.place().catalog.database.read() as conn:
        return {table.name: list(conn.execute(table.select())) for table in tables.metadata.sorted_tables}


def _tree(archive: Archive) -> dict[str, tuple[int, int, int]]:
    """Files, but for the catalog's own and for the moment of the last run."""
    found = [path for path in archive.folder.rglob("*") if path.is_file() and not path.is_symlink()]
    stats = {str(path): path.stat() for path in found if "catalog.db" not in path.name and path.name != "gate"}
    return {path: (stat.st_ino, stat.st_size, stat.st_mtime_ns) for path, stat in stats.items()}
