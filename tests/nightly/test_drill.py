"""The drill: what comes back from near-line and tape is what was received, or the drill is red and the gate shut."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdfo.errors import WrongStore
from sdfo.nightly.care.drill import DrillReport, drill
from sdfo.nightly.tape.stage import stage
from sdfo.stores.local import LocalStore
from sdfo.testing.archive import Archive, fill, new_archive
from sdfo.testing.exams import make_exam
from sdfo.testing.expiring import sql
from sdfo.tiers.tape.simulate import Library


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Three exams with copies on near-line in JPEG 2000, one with a file that lies apart. Tests copy it."""
    archive = new_archive(tmp_path_factory.mktemp("drill"))
    flags = {
        "hdfs": {"root": "hdfs", "max_record_mib": 1},
        "nearline": {"root": "nearline", "codec": "j2k", "workers": 0, "start": "00:00", "end": "00:00"},
    }
    fill(archive.san, range(2), 16)
    make_exam(archive.san / "large", slices=1, modality="CT", seed=7, size=800)
    assert archive.night(**flags).good
    assert archive.backup(**flags).compressed == 4
    archive.place().catalog.close()
    return archive


@pytest.fixture
def backed_up(template: Archive, tmp_path: Path) -> Archive:
    return template.copy(tmp_path / "archive")


def drilled(archive: Archive, run: str = "d1", **own: object) -> DrillReport:
    return drill(archive.place(run, expire={"copies": ["hdfs", "nearline"], **own}))


def test_what_comes_back_is_what_was_received(backed_up: Archive) -> None:
    """Out of JPEG 2000 and to the last bit; nothing of it stays in the scratch folder, and the stores are as before."""
    before = (backed_up.parts(), backed_up.near())
    done = drilled(backed_up)
    assert (done.green, done.nearline, done.tape, done.failed) == (True, 3, 0, 0)
    assert (done.files, done.bytes) == (5, sum(path.stat().st_size for path in backed_up.san.rglob("*.dcm")))
    assert (backed_up.parts(), backed_up.near()) == before
    step = backed_up.place().catalog.last_ended("drill")
    assert step is not None
    assert step.report["green"] is True


def test_a_sample_is_drawn_by_lot(backed_up: Archive) -> None:
    """As many as the settings say, and not always the same."""
    drawn = set()
    for number in range(40):
        assert drilled(backed_up, f"d{number}", drill_parts=1).nearline == 1
        rows = backed_up.place().catalog.page_of_copies("nearline")
        drawn.add(max(rows, key=lambda row: str(row[1].verified_at))[0].id)
        if len(drawn) == 3:
            break
    assert drawn == {1, 2, 3}


def test_a_damaged_copy_makes_it_red(backed_up: Archive) -> None:
    """It is marked and waits for another; the command ends with 1; the next drill, of what is left, is green."""
    path = sorted(path for path in backed_up.near() if path.endswith(".sdicom"))[0]
    file = backed_up.folder / "nearline" / path
    file.write_bytes(file.read_bytes()[:-1] + b"\xff")
    done = backed_up.sdfo("drill", "--run", "d1")
    assert done.returncode == 1
    assert '"green": false' in done.stdout
    assert backed_up.place().catalog.queue().parts == 1
    assert drilled(backed_up, "d2").green


def test_a_nas_that_goes_away_meanwhile_loses_no_copy(backed_up: Archive) -> None:
    """Nothing is marked, and nothing waits for another copy."""
    place = backed_up.place("d1")
    _ = place.nearline
    (backed_up.folder / "nearline").rename(backed_up.folder / "away")
    (backed_up.folder / "nearline").mkdir()
    with pytest.raises(WrongStore):
        drill(place)
    assert {copy.state for _, copy in place.catalog.page_of_copies("nearline")} == {"verified"}


def test_other_digests_than_those_received_make_it_red(backed_up: Archive) -> None:
    """It is the catalog's digests that count, not those that the copy has of itself."""
    sql(backed_up, "UPDATE instance SET sha256 = :other WHERE part_id = 1 AND number = 0", other=b"\0" * 32)
    done = drilled(backed_up)
    assert (done.green, done.failed, done.rows[0].why) == (False, 1, "what came back is not what was received")


@pytest.fixture
def on_tape(backed_up: Archive) -> Archive:
    """Its parts lie on one volume, which nobody has read back, and no longer in the staging area."""
    place = backed_up.place("t1")
    stage(place, now=True)
    assert library(backed_up).once().written == 1
    assert stage(backed_up.place("t2")).receipts == 1
    for path in (backed_up.folder / "tape").rglob("*.tar"):
        path.unlink()
    return backed_up


def library(archive: Archive) -> Library:
    return Library(archive.place().tape, LocalStore(archive.folder / "shelf"), reads_back=False)


def tapes(archive: Archive) -> list[str]:
    return [copy.state for _, copy in archive.place().catalog.page_of_copies("tape")]


def test_a_tape_is_asked_for_and_read(on_tape: Archive) -> None:
    """Red until its volume comes; then what is on it is restored, and its copies have been read at last."""
    assert tapes(on_tape) == ["written"] * 3
    first = drilled(on_tape)
    assert (first.green, first.nearline, first.tape, bool(first.asked)) == (False, 3, 0, True)
    assert library(on_tape).once().served == 1
    second = drilled(on_tape, "d2")
    assert (second.green, second.nearline, second.tape, second.files) == (True, 3, 3, 10)
    assert tapes(on_tape) == ["verified"] * 3


def test_a_tape_that_rots_makes_it_red(on_tape: Archive) -> None:
    """The copy is marked and its part waits for another volume."""
    (tar,) = (on_tape.folder / "shelf").glob("*.tar")
    data = bytearray(tar.read_bytes())
    at = data.rindex(b"SEQ\x06") + 300  # in the header of the last part
    data[at] ^= 1
    tar.write_bytes(data)
    drilled(on_tape)
    library(on_tape).once()
    done = drilled(on_tape, "d2")
    assert (done.green, done.tape, done.failed) == (False, 2, 1)
    assert sorted(tapes(on_tape)) == ["damaged", "verified", "verified"]
    assert on_tape.place().catalog.queue("tape").parts >= 1


def test_nothing_to_restore_is_not_green(archive: Archive) -> None:
    """A gate that opens on it would open on nothing."""
    assert not drilled(archive).green
