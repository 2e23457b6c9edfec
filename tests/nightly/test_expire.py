"""Freeing the SAN, end to end: with one line of the gate false nothing goes; what changes meanwhile is not lost."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from sdfo.catalog import Catalog
from sdfo.catalog.holds import HoldKind
from sdfo.client import Archive as Client
from sdfo.errors import LeaseHeld, WrongSan, WrongStore
from sdfo.nightly import manifest
from sdfo.nightly.freeing.clock import Clock
from sdfo.nightly.freeing.expire import YOUNG, Logged, expire
from sdfo.nightly.freeing.reopening import reopen
from sdfo.nightly.tape.stage import stage
from sdfo.stores.local import LocalStore
from sdfo.testing.archive import Archive, fill, new_archive
from sdfo.testing.exams import make_exam
from sdfo.testing.expiring import FREE, SPOILT, all_may_go, end_grace, files_of, freed, sql, studies
from sdfo.tiers.aside import Aside, AsideFile
from sdfo.tiers.san import San
from sdfo.tiers.tape.simulate import Library


@pytest.fixture(scope="module")
def may_go(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Two exams of two images that may go; one of them has a folder below it. Tests copy it."""
    archive = new_archive(tmp_path_factory.mktemp("free"))
    fill(archive.san, range(2), 16)
    (archive.san / "exam01" / "sub").mkdir()
    (archive.san / "exam01" / "S001-I00002.dcm").rename(archive.san / "exam01" / "sub" / "x.dcm")
    assert archive.night().good
    all_may_go(archive)
    archive.place().catalog.close()
    return archive


def aside(archive: Archive, run: str = "e1") -> Path:
    return archive.san / ".sdfo-expired" / run


def images(archive: Archive) -> set[str]:
    """SHA-256 of all that the archive gives back."""
    client = Client(archive.settings())
    return {hashlib.sha256(data).hexdigest() for study in studies(archive) for _, data in client.exam(study)}


def test_old_files_go_in_two_steps(ripe: Archive) -> None:
    """Aside first, with their own paths, their folders gone; removed when their grace is over; read from HDFS all the while."""
    before = files_of(ripe.san)
    found = freed(ripe)
    assert (found.files, found.emptied, found.removed, found.grace) == (4, 2, 0, 4)
    assert found.stopped == {}
    assert files_of(aside(ripe)) == before
    assert sorted(path.name for path in ripe.san.iterdir()) == [".sdfo-expired", ".sdfo-incoming", ".sdfo-san"]
    assert {row.state for row in ripe.place().catalog.folders().values()} == {"freed"}
    assert freed(ripe, "e2").removed == 0
    assert ripe.night("r2").ledger.seen == 0
    end_grace(ripe)
    last = freed(ripe, "e3")
    assert (last.files, last.removed, last.grace) == (0, 4, 0)
    assert not aside(ripe).exists()
    assert images(ripe) == set(before.values())
    assert ripe.place().catalog.in_grace() == []
    assert ripe.place().catalog.lease_holder("expire") is None


@pytest.mark.parametrize("line", SPOILT)
def test_with_one_line_false_nothing_goes(ripe: Archive, line: str) -> None:
    """Each in turn, the others true; the table says which, and how many files it stops; nothing is removed in its grace either."""
    spoil, flags = SPOILT[line]
    spoil(ripe)
    before = files_of(ripe.san)
    for dry_run in (True, False):
        found = expire(ripe.place("e1", **FREE | flags), dry_run=dry_run)
        assert (found.files, found.removed, found.grace, found.back) == (0, 0, 0, 0)
        assert found.stopped[line] == 4
        assert line == "part published" or found.stopped == found.alone == {line: 4}
    assert files_of(ripe.san) == before


@pytest.mark.parametrize(
    "line",
    [
        line if line in ("no hold", "last drill green") else pytest.param(line, marks=pytest.mark.long)
        for line in [*SPOILT][1:-1]
    ],
)
def test_a_line_that_closes_meanwhile_keeps_what_is_aside(ripe: Archive, line: str) -> None:
    """The gate is asked again before a file is removed for good; but it grows no younger."""
    before = files_of(ripe.san)
    freed(ripe)
    spoil, flags = SPOILT[line]
    spoil(ripe)
    end_grace(ripe)
    found = freed(ripe, "e2", **flags)
    assert (found.removed, found.grace) == (0, 4)
    assert found.kept[line] == 4
    assert files_of(aside(ripe)) == before


def test_exam_folders_may_lie_deeper(archive: Archive) -> None:
    """Two levels below the root: the exam folder goes when it is empty, the one above it stays; what a kill left is known by it."""
    deep = {"san": {"root": "san", "settle_minutes": 0, "exam_depth": 2}}
    fill(archive.san / "ward", range(2), 16)
    assert archive.night(**deep).good
    all_may_go(archive)
    before = files_of(archive.san)
    with Aside(archive.place(**deep).san, archive.place().san_id) as left:
        left.take("e0", b"ward/exam00/S001-I00001.dcm")
    found = freed(archive, **deep)
    assert (found.files, found.emptied, found.grace, found.back) == (3, 2, 4, 0)
    assert list((archive.san / "ward").iterdir()) == []
    assert files_of(aside(archive)) | files_of(aside(archive, "e0")) == before


def test_a_dry_run_changes_nothing(ripe: Archive) -> None:
    """It says what would go, takes no lease, and leaves neither a row nor a file."""
    before, rows = files_of(ripe.san), ripe.place().catalog.steps("e1")
    found = expire(ripe.place("e1", **FREE), dry_run=True)
    assert (found.files, len(found.exams), found.bytes) == (4, 2, sum(each.bytes for each in found.exams))
    assert files_of(ripe.san) == before
    assert not aside(ripe).exists()
    assert ripe.place().catalog.steps("e1") == rows == {}


def test_one_exam_stops_no_other(ripe: Archive) -> None:
    """A hold on one, by its patient: the other goes. Released, it goes too."""
    study = studies(ripe)[0]
    catalog = ripe.place().catalog
    number = catalog.hold(HoldKind.STUDY, [study], "court", "ann")
    found = freed(ripe)
    assert (found.files, found.alone) == (2, {"no hold": 2})
    assert study not in {each.study for each in found.exams}
    catalog.release_hold(number, "ann")
    assert freed(ripe, "e2").files == 2


def test_a_late_image_keeps_only_itself(ripe: Archive) -> None:
    """First seen today, of an old exam: its own file stays, and its folder with it."""
    make_exam(ripe.san / "exam00", slices=1, modality="CT", seed=0, size=16, first=9)
    ripe.night("r2")
    ripe.backup("b2")
    found = freed(ripe)
    assert (found.files, found.emptied, found.alone) == (4, 1, {YOUNG: 1})
    assert [path.name for path in (ripe.san / "exam00").iterdir()] == ["S001-I00009.dcm"]


def test_a_new_file_never_goes(ripe: Archive) -> None:
    """One that no night has archived, however old it says it is."""
    new = ripe.san / "exam00" / "new.dcm"
    new.write_bytes(b"not archived")
    os.utime(new, (0, 0))
    found = freed(ripe)
    assert (found.files, new.read_bytes()) == (4, b"not archived")


def test_a_hold_that_is_placed_meanwhile_stops_the_rest(ripe: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the decision and the removal: it is asked last."""
    real = Aside.look

    def held_while_it_reads(self: Aside, path: bytes) -> object:
        ripe.place().catalog.hold(HoldKind.STUDY, studies(ripe), "court", "ann")
        return real(self, path)

    monkeypatch.setattr(Aside, "look", held_while_it_reads)
    before = files_of(ripe.san)
    found = freed(ripe)
    assert (found.files, found.stopped) == (0, {"held or set aside meanwhile": 2, "no hold": 2})
    assert files_of(ripe.san) == before


def test_a_file_that_changes_between_reading_and_moving_is_put_back(
    ripe: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Replaced under its name, or written to: it lies where it lay with its new bytes, and the next night archives them."""
    real, first, second = Aside.take, ripe.san / "exam00" / "S001-I00001.dcm", ripe.san / "exam01" / "sub" / "x.dcm"

    def changing(self: Aside, run: str, path: bytes) -> AsideFile:
        if path.endswith(b"exam00/S001-I00001.dcm"):
            (ripe.folder / "new").write_bytes(b"replaced")
            os.replace(ripe.folder / "new", first)
        if path.endswith(b"x.dcm"):
            with open(second, "ab") as file:
                file.write(b"more")
        return real(self, run, path)

    monkeypatch.setattr(Aside, "take", changing)
    found = freed(ripe)
    assert (found.files, found.back) == (2, 2)
    assert first.read_bytes() == b"replaced"
    assert second.read_bytes().endswith(b"more")
    monkeypatch.undo()
    assert ripe.night("r2").ledger.lines["archived tonight"] == 2


def test_a_file_that_changes_in_its_grace_is_put_back(ripe: Archive) -> None:
    """Somebody had it open, and wrote. If another has its name meanwhile, it gets a new one beside it: both are archived."""
    with open(ripe.san / "exam00" / "S001-I00001.dcm", "ab") as writer:
        freed(ripe)
        writer.write(b"late bytes")
    fill(ripe.san, range(1), 16)
    end_grace(ripe)
    found = freed(ripe, "e2")
    assert (found.back, found.removed) == (1, 3)
    (back,) = (ripe.san / "exam00").glob("put-back-*")
    assert back.read_bytes().endswith(b"late bytes")
    assert len(files_of(ripe.san / "exam00")) == 3
    assert ripe.night("r2").good
    assert ripe.place().catalog.in_grace() == []


@pytest.mark.parametrize("what", ["unmounted", "swapped"])
def test_a_san_that_goes_away_meanwhile(ripe: Archive, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder, or another SAN with the same files, lies at its root: nothing goes from either; mounted again, all does."""
    real, away = Aside.look, ripe.folder / "away"

    def swapping(self: Aside, path: bytes) -> object:
        found = real(self, path)
        if not away.exists():
            ripe.san.rename(away)
            if what == "swapped":
                shutil.copytree(away, ripe.san)
                (ripe.san / ".sdfo-san").chmod(0o644)
                (ripe.san / ".sdfo-san").write_text("another\n")
            else:
                ripe.san.mkdir()
        return found

    monkeypatch.setattr(Aside, "look", swapping)
    before = files_of(ripe.san)
    with pytest.raises(WrongSan):
        freed(ripe)
    assert files_of(away) == before
    assert files_of(ripe.san) == (before if what == "swapped" else {})
    monkeypatch.undo()
    with pytest.raises(WrongSan):
        freed(ripe)
    shutil.rmtree(ripe.san)
    away.rename(ripe.san)
    assert freed(ripe).files == 4


def test_near_line_that_is_not_mounted_stops_all(ripe: Archive) -> None:
    """Its copies cannot be looked at."""
    (ripe.folder / "nearline").rename(ripe.folder / "away")
    (ripe.folder / "nearline").mkdir()
    before = files_of(ripe.san)
    with pytest.raises(WrongStore):
        freed(ripe)
    assert files_of(ripe.san) == before


def test_no_link_is_followed(ripe: Archive) -> None:
    """In place of a file, of a folder, and of what the archive keeps itself: what they lead to stays, and the links too."""
    outside = ripe.folder / "outside"
    shutil.copytree(ripe.san, outside)
    before = files_of(outside)
    (ripe.san / "exam00" / "S001-I00001.dcm").unlink()
    (ripe.san / "exam00" / "S001-I00001.dcm").symlink_to(outside / "exam00" / "S001-I00001.dcm")
    shutil.rmtree(ripe.san / "exam01")
    (ripe.san / "exam01").symlink_to(outside / "exam01")
    found = freed(ripe)
    assert (found.files, sum(found.failed.values())) == (1, 3)
    assert files_of(outside) == before
    assert (ripe.san / "exam01").is_symlink()
    shutil.rmtree(ripe.san / ".sdfo-expired")
    (ripe.folder / "trap").mkdir()
    (ripe.san / ".sdfo-expired").symlink_to(ripe.folder / "trap")
    fill(ripe.san, range(5, 6), 16)
    ripe.night("r2")
    all_may_go(ripe)
    assert freed(ripe, "e9").files == 0
    assert not list((ripe.folder / "trap").iterdir())


def test_two_runs_at_once(ripe: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second is postponed; a step that was taken over meets its own end before its next removal."""
    real = Aside.look

    def another(self: Aside, path: bytes) -> object:
        with pytest.raises(LeaseHeld):
            freed(ripe, "e2")
        return real(self, path)

    monkeypatch.setattr(Aside, "look", another)
    assert freed(ripe, "e1").files == 4


def test_the_log_names_no_file(ripe: Archive) -> None:
    """Folders by their number, files by their place; the report in the catalog neither."""
    freed(ripe)
    store = ripe.place().store
    (log,) = [stat.path for stat in store.list("runs/e1/expire")]
    rows = manifest.read(store, log, Logged)
    assert [(row.folder_id, row.ordinal, row.what) for row in rows] == [
        (folder, n, "moved aside") for folder in (1, 2) for n in (0, 1)
    ]
    assert b"exam0" not in store.read_all(log)
    assert "exam0" not in str(ripe.place().catalog.steps("e1")["expire"].report)


def test_a_run_takes_so_much_and_the_next_the_rest(ripe: Archive) -> None:
    """`gib_per_run`, folder by folder, the oldest first."""
    small = {"expire": FREE["expire"] | {"gib_per_run": 1e-9}}
    first = freed(ripe, **small)
    assert (first.files, first.left) == (2, 2)
    assert freed(ripe, "e2", **small).files == 2


def test_the_gate_opens_again_after_a_rebuild(ripe: Archive) -> None:
    """Once a person has seen the holds: those that the catalog had, and those that it has."""
    catalog = ripe.place().catalog
    catalog.hold(HoldKind.PATIENT, ["7"], "court", "ann")
    SPOILT["open since the last rebuild"][0](ripe)
    assert freed(ripe).files == 0
    found = reopen(ripe.place(), Clock())
    assert [hold["id"] for hold in found.before or ()] == [hold.id for hold in found.after] == [1]
    assert reopen(ripe.place(), Clock()).before is None
    assert freed(ripe, "e2").files == 4


def test_a_clock_that_was_set_is_believed_once_a_person_says_so(ripe: Archive) -> None:
    """Until then no later run believes it either: what it is compared with stays."""
    SPOILT["clock to be believed"][0](ripe)
    assert [freed(ripe, run).files for run in ("e1", "e2")] == [0, 0]
    reopen(ripe.place(), Clock())
    assert freed(ripe, "e3").files == 4


def test_a_store_whose_replicas_are_missing_stops_all(ripe: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """HDFS tells; that it really does is tested on one."""
    monkeypatch.setattr(LocalStore, "at_risk", lambda store: "2 blocks with too few replicas")
    assert freed(ripe).stopped == {"HDFS replication healthy": 4}


def test_a_rebuilt_catalog_knows_what_went(ripe: Archive) -> None:
    """From the journal: the fuse of the next scan does not take the freed folders for a SAN that is half mounted."""
    freed(ripe)
    before = ripe.place().catalog.in_grace()
    SPOILT["open since the last rebuild"][0](ripe)
    again: Catalog = ripe.place().catalog
    assert [(each.run, each.file.name, each.since) for each in again.in_grace()] == [
        (each.run, each.file.name, each.since) for each in before
    ]
    assert ripe.night("r2").good


def test_with_the_default_settings_a_receipt_from_tape_is_asked_for(ripe: Archive) -> None:
    """A staged volume is none; with its receipt the gate opens, read back or not."""
    defaults = {"expire": {}}
    assert freed(ripe, **defaults).stopped == {"copies wanted": 4, "a copy off-line or off-site": 4}
    stage(ripe.place("t1"), now=True)
    assert freed(ripe, "e2", **defaults).stopped == {"copies wanted": 4, "a copy off-line or off-site": 4}
    Library(ripe.place().tape, LocalStore(ripe.folder / "shelf"), reads_back=False).once()
    stage(ripe.place("t2"))
    assert freed(ripe, "e3", **defaults).files == 4


def test_nothing_is_read_of_a_san_without_its_id(ripe: Archive) -> None:
    """As every step."""
    (ripe.san / ".sdfo-san").unlink()
    with pytest.raises(WrongSan):
        freed(ripe)
    assert len(files_of(ripe.san)) == 4
    assert San(str(ripe.san)).exams()[0] == (b"exam00", b"exam01")


def test_a_file_that_the_catalog_knows_otherwise_stays(ripe: Archive) -> None:
    """By a digest that no part holds."""
    sql(ripe, "UPDATE san_file SET digest = :other", other=b"\1" * 32)
    assert freed(ripe).stopped["part published"] == 4
    assert len(files_of(ripe.san)) == 4
