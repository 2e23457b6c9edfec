"""Back from tape: asked for once, proven before it is read, kept as promised; and the last source of a restore."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sdfo.catalog import Availability, Query, RecallRow
from sdfo.cli import main
from sdfo.client import Archive as Client
from sdfo.errors import NotFound
from sdfo.model import Location, Tier
from sdfo.nightly.care.restore import restore
from sdfo.nightly.tape.recall import recall, wait
from sdfo.nightly.tape.receiving import attend
from sdfo.testing.archive import APART, Archive, new_archive
from sdfo.testing.exams import make_exam
from sdfo.testing.expiring import moment, sql


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Three exams are on one tape, one of them with a large file beside its part; the SAN is empty by now."""
    archive = new_archive(tmp_path_factory.mktemp("on-tape"))
    for seed in range(2):
        make_exam(archive.san / f"exam{seed}", slices=2, modality="CT", seed=seed, size=16)
    make_exam(archive.san / "large", slices=1, modality="CT", seed=7, size=800)
    assert archive.night(**APART).good
    archive.on_tape()
    archive.san.rename(archive.folder / "originals")
    archive.san.mkdir()
    archive.place().catalog.close()
    return archive


@pytest.fixture
def taped(template: Archive, tmp_path: Path) -> Archive:
    """The same, to be changed."""
    shutil.copytree(template.folder, tmp_path / "taped")
    return Archive(tmp_path / "taped")


def studies(archive: Archive) -> list[str]:
    return [row.study for row in archive.place().catalog.find(Query())]


def lose(archive: Archive, tier: str = "hdfs") -> None:
    shutil.rmtree(archive.folder / tier / "exams")


def requests(archive: Archive) -> list[str]:
    return sorted(path.stem for path in (archive.folder / "tape/request").glob("*.json"))


def digests(folder: Path) -> list[str]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".sdfo-san")
    return sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in files)


def states(archive: Archive) -> list[str]:
    return [row.state for row in archive.place().catalog.recalls()]


def test_several_studies_on_one_volume_make_one_request(taped: Archive) -> None:
    """And one recall, for who asks for another exam waits for the same."""
    found = [recall(taped.place(), uid) for uid in (*studies(taped), studies(taped)[0])]
    (volume,) = taped.place().catalog.volumes()
    assert requests(taped) == [volume.name]
    assert {row.id for row in found} == {1}
    assert found[0].volumes == (volume.name,)
    told = json.loads((taped.folder / "tape/request" / f"{volume.name}.json").read_bytes())
    assert (told["barcode"], told["sha256"], told["size"]) == (volume.barcode, volume.sha256, volume.size)


def test_a_recall_goes_from_waiting_to_done(taped: Archive) -> None:
    """When its volume is here and proven; it stays as long as the settings promise, and the request is withdrawn."""
    row = recall(taped.place(), studies(taped)[0])
    assert (row.state, row.expected, attend(taped.place()).done) == ("waiting", None, 0)
    taped.library(delay=60).once()
    assert states(taped) == ["waiting"]
    taped.library().once()
    assert attend(taped.place()).done == 1
    (row,) = taped.place().catalog.recalls()
    assert row.state == "done"
    assert row.pinned is not None
    assert timedelta(hours=71) < row.pinned - datetime.now(UTC) < timedelta(hours=73)
    assert requests(taped) == []
    assert taped.place().catalog.pinned_volumes() == set(row.volumes)


def availability(archive: Archive) -> dict[str, Availability]:
    return {row.study: row.availability for row in archive.place().catalog.find(Query())}


def test_what_came_back_is_nearline_and_what_is_away_is_offline(taped: Archive) -> None:
    """(0008,0056) of exams on tape alone: by whether their volume was promised to stay; the same after a rebuild's replay."""
    catalog = taped.place().catalog
    for part, _ in catalog.page_of_copies("hdfs"):
        catalog.mark_copy(part.id, "hdfs", "retired")
    assert set(availability(taped).values()) == {Availability.OFFLINE}
    row = recall(taped.place(), studies(taped)[0])
    assert set(availability(taped).values()) == {Availability.OFFLINE}
    taped.library().once()
    attend(taped.place())
    assert set(availability(taped).values()) == {Availability.NEARLINE}
    sql(taped, "UPDATE recall SET pinned = :at", at=moment(1))
    taped.stage("t8", tape={"root": "tape", "clear_at": 1e-12, "report_at": 1e-13})
    assert not list((taped.folder / "tape" / "in").glob("*.tar"))
    assert set(availability(taped).values()) == {Availability.OFFLINE}
    assert row.id == 1


def test_the_next_one_is_expected_by_what_the_last_ones_took(taped: Archive) -> None:
    """The median of their times."""
    catalog = taped.place().catalog
    (volume,) = catalog.volumes()
    for _ in range(3):
        row = catalog.ask_recall("1.2.3", [volume.name], volume.size)
        time.sleep(0.05)
        catalog.end_recall(row.id, "done")
    row = recall(taped.place(), studies(taped)[0])
    assert row.expected is not None
    assert 0.05 <= (row.expected - row.asked).total_seconds() < 5


def test_what_is_here_is_not_asked_for(taped: Archive) -> None:
    """It is pinned anew, and done at once."""
    for run in range(2):
        row = recall(taped.place(), studies(taped)[0])
        if run == 0:
            taped.library().once()
            attend(taped.place())
    assert (row.id, row.state, requests(taped)) == (2, "done", [])


def test_nothing_on_tape_is_an_answer(taped: Archive) -> None:
    """As for a UID of nothing."""
    with pytest.raises(NotFound, match=r"nothing of UID 1\.2\.3 is on tape"):
        recall(taped.place(), "1.2.3")


def test_every_exam_comes_back_byte_for_byte(taped: Archive, tmp_path: Path) -> None:
    """HDFS is lost: readers go on from the volume, the file that lies apart too."""
    lose(taped)
    recall(taped.place(), studies(taped)[0])
    taped.library().once()
    attend(taped.place())
    for uid in studies(taped):
        Client(taped.settings()).get(uid, tmp_path / "out")
    assert digests(tmp_path / "out") == digests(taped.folder / "originals")


def test_reading_without_it_says_what_to_do(taped: Archive, tmp_path: Path) -> None:
    """No copy is called damaged for being on tape."""
    lose(taped)
    uid = studies(taped)[0]
    client = Client(taped.settings())
    with pytest.raises(NotFound, match=f"next: sdfo recall {uid}"):
        client.get(uid, tmp_path / "out")
    assert {fault.tier for fault in client.faults} == {"san", "hdfs"}
    assert {copy.state for _, copy in taped.place().catalog.page_of_copies(Tier.TAPE)} == {"verified"}


def test_a_damaged_nearer_copy_is_no_end(taped: Archive, tmp_path: Path) -> None:
    """Of two files one is damaged on HDFS: while it is read the volume is asked for, and whoever waits gets both."""
    uid = next(row.study for row in taped.place().catalog.find(Query()) if row.instances == 2)
    part = next((taped.folder / "hdfs/exams").rglob(f"{uid}-*.sdicom"))
    part.write_bytes(part.read_bytes()[:-1] + b"\xff")
    client, asked = Client(taped.settings()), list[str]()

    def recalled(location: Location) -> bool:
        asked.append(recall(taped.place(), uid).state)
        taped.library().once()
        return attend(taped.place()).done == 1

    client.reader.recall = recalled
    assert client.get(uid, tmp_path / "out").files == 2
    assert asked == ["waiting"]
    assert set(digests(tmp_path / "out")) < set(digests(taped.folder / "originals"))


@pytest.mark.long
def test_real_exams_come_back_from_tape(archive: Archive, real_exams: Path, tmp_path: Path) -> None:
    """Full-size exams, by GNU tar, by the volume's own program, and by `get`: each time every file is the scanner's."""
    for name in ("ct-ge", "ct-philips-phantom", "mr-mprage"):
        shutil.copytree(real_exams / name, archive.san / name)
    before = digests(archive.san)
    assert archive.night().good
    archive.on_tape()
    (tar,) = (archive.folder / "library").glob("*.tar")
    subprocess.run(["tar", "xf", tar, "restore.py"], cwd=tmp_path, check=True)
    command = [sys.executable, "-I", "restore.py", tar, "--to", "own"]
    subprocess.run(command, cwd=tmp_path, env={}, check=True)
    assert digests(tmp_path / "own") == before
    (tmp_path / "unpacked").mkdir()
    subprocess.run(["tar", "xf", tar], cwd=tmp_path / "unpacked", check=True)
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=tmp_path / "unpacked", check=True)
    lose(archive)
    archive.san.rename(archive.folder / "san-away")
    archive.san.mkdir()
    recall(archive.place(), studies(archive)[0])
    archive.library().once()
    attend(archive.place())
    for uid in studies(archive):
        Client(archive.settings()).get(uid, tmp_path / "got")
    assert digests(tmp_path / "got") == before


def arrived(archive: Archive) -> Path:
    """The volume in in/, not proven yet."""
    recall(archive.place(), studies(archive)[0])
    archive.library().once()
    (path,) = (archive.folder / "tape/in").glob("*.tar")
    return path


def _old(path: Path) -> None:
    os.utime(path, (1, 1))


def test_a_volume_that_is_still_arriving_is_waited_for(taped: Archive) -> None:
    """A tape system may write under the final name: too short and just changed is not cut yet."""
    path = arrived(taped)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert (attend(taped.place()).volumes, states(taped)) == (0, ["waiting"])
    path.write_bytes(whole)
    assert attend(taped.place()).done == 1


def test_a_volume_that_came_back_damaged_is_named(taped: Archive) -> None:
    """The file that is hit is named in failed/, its part waits for another volume; the others are read all the same."""
    path = arrived(taped)
    (part, copy), *_ = taped.place().catalog.on_volume(path.stem)
    data = bytearray(path.read_bytes())
    at = data.index((taped.folder / "hdfs" / copy.path.partition("/")[2]).read_bytes()[:4096])
    data[at + copy.size - 1] ^= 1
    path.write_bytes(data)
    assert attend(taped.place()).volumes == 1
    (told,) = (taped.folder / "tape/failed").glob("*.json")
    assert json.loads(told.read_text())["damaged"] == [copy.path.partition("/")[2]]
    found = {p.study: c.state for p, c in taped.place().catalog.on_volume(path.stem)}
    assert found.pop(part.study) == "damaged"
    assert set(found.values()) == {"verified"}
    assert [row.check for row in taped.place().catalog.queued(9, "tape")] == [part.check]
    lose(taped)
    client = Client(taped.settings())
    assert all(list(client.exam(study)) for study in found)
    with pytest.raises(NotFound):
        list(client.exam(part.study))


@pytest.mark.parametrize("size", [0, 4000])
def test_a_volume_of_which_nothing_is_left_fails_the_recall(taped: Archive, size: int) -> None:
    """It goes to failed/; all its parts wait for another volume."""
    path = arrived(taped)
    path.write_bytes(path.read_bytes()[:size])
    _old(path)
    assert attend(taped.place()).failed == 1
    (row,) = taped.place().catalog.recalls()
    assert (row.state, row.reason) == ("failed", f"volume {path.stem} is damaged")
    assert taped.place().catalog.queue("tape").parts == 3
    assert not path.exists()
    assert requests(taped) == []


def test_what_the_tape_system_cannot_bring_fails_the_recall(taped: Archive) -> None:
    """With its own reason; who asks again asks it again."""
    (volume,) = taped.place().catalog.volumes()
    (taped.folder / "library" / f"{volume.name}.tar").rename(taped.folder / "tape-on-the-shelf")
    row = recall(taped.place(), studies(taped)[0])
    assert taped.library().once().refused == 1
    attend(taped.place())
    assert taped.place().catalog.recall(row.id).reason == f"volume {volume.name}: no such tape in the library"
    (taped.folder / "tape-on-the-shelf").rename(taped.folder / "library" / f"{volume.name}.tar")
    again = recall(taped.place(), studies(taped)[0])
    assert (again.id, again.state) == (2, "waiting")
    taped.library().once()
    assert attend(taped.place()).done == 1


def test_a_recall_proves_what_nobody_had_read_back(taped: Archive) -> None:
    """A volume that was `written` is `verified` from then on."""
    catalog = taped.place().catalog
    (volume,) = catalog.volumes()
    catalog.keep_volume(replace(volume, state="written"))
    arrived(taped)
    attend(taped.place())
    assert catalog.volumes()[0].state == "verified"


def test_waiting_ends_when_it_is_here(taped: Archive) -> None:
    """While another process plays the tape system."""
    row = recall(taped.place(), studies(taped)[0])
    serving = threading.Timer(0.3, lambda: taped.library().once())
    serving.start()
    seen: list[tuple[int, int, str]] = []
    found: RecallRow = wait(taped.place(), row.id, lambda *words: seen.append(words), every=0.05)
    serving.join()
    assert found.state == "done"
    assert seen[0][:2] == (0, 1)
    assert seen[-1][:2] == (1, 1)


def test_hdfs_is_restored_from_tape(taped: Archive) -> None:
    """All of it lost, near-line never had a copy: a recall is asked for, and once it is done everything is there as it was."""
    before = taped.parts()
    lose(taped)
    first = restore(taped.place("x1"), None)
    assert (first.recalled, first.restored, first.lost) == (3, 0, 0)
    assert len(requests(taped)) == 1
    assert all("is on tape: recall 1 was asked for; then sdfo restore again" in row.done for row in first.rows)
    taped.library().once()
    second = restore(taped.place("x2"), None)
    assert (second.restored, second.lost) == (3, 0)
    assert taped.parts() == before
    assert restore(taped.place("x3"), None).rows == ()


def test_a_volume_that_was_given_up_is_read_while_it_is_here(taped: Archive) -> None:
    """It may be the last one: every byte out of it is proven anyway."""
    before = taped.parts()
    arrived(taped)
    attend(taped.place())
    catalog = taped.place().catalog
    catalog.keep_volume(replace(catalog.volumes()[0], state="damaged"), "given up")
    lose(taped)
    assert restore(taped.place("x1"), None).restored == 3
    assert taped.parts() == before


def test_near_line_comes_before_tape(taped: Archive) -> None:
    """No recall where near-line has a whole copy; where that one is damaged too, tape is the last."""
    before = taped.parts()
    taped.backup()
    lose(taped)
    assert restore(taped.place("x1"), None).restored == 3
    assert states(taped) == []
    lose(taped)
    for path in before:
        (taped.folder / "nearline" / path).write_bytes(b"SEQ")
    done = restore(taped.place("x2"), None)
    assert done.recalled > 0
    taped.library().once()
    attend(taped.place())
    for uid in studies(taped):
        restore(taped.place("x3"), uid)
    assert taped.parts() == before
    taped.backup("b2")
    assert taped.near() == before


def said(archive: Archive, *words: str) -> tuple[int, str]:
    """A command in this process: its exit code, and what it says."""
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(out):
        return main(["--conf", str(archive.toml), *words]), out.getvalue()


def test_a_rebuild_asks_for_what_is_on_tape_alone(taped: Archive) -> None:
    """The first names the volume, and asks for it; once it is here the second enters all, as they were."""
    catalog = taped.place().catalog
    before = [catalog.locate(study) for study in studies(taped)]
    for part, _ in catalog.page_of_copies("hdfs"):
        catalog.mark_copy(part.id, "hdfs", "retired")
    (volume,) = catalog.volumes()
    lose(taped)
    code, text = said(taped, "catalog", "rebuild", "--replace")
    assert (code, requests(taped), studies(taped)) == (1, [volume.name], [])
    assert f"recall 1 asks for {volume.name}: on tape alone" in text
    taped.library().once()
    attend(taped.place())
    code, text = said(taped, "catalog", "rebuild", "--replace")
    assert (code, len(studies(taped))) == (0, 3), text
    after = [taped.place().catalog.locate(study) for study in studies(taped)]
    assert after == [[each for each in found if each.tier is not Tier.HDFS] for found in before]
    assert {copy.state for _, copy in taped.place().catalog.page_of_copies("hdfs")} == {"retired"}
    assert all(list(Client(taped.settings()).exam(study)) for study in studies(taped))


def test_both_lost_and_tape_whole_loses_nothing(taped: Archive) -> None:
    """HDFS and near-line destroyed: one command, twice, and a backup."""
    before = taped.parts()
    taped.backup()
    lose(taped)
    lose(taped, "nearline")
    dry = restore(taped.place("x0"), None, dry_run=True)
    assert (dry.lost, states(taped)) == (0, [])
    assert restore(taped.place("x1"), None).recalled == 6
    taped.library().once()
    done = restore(taped.place("x2"), None)
    assert (done.restored, done.queued, done.lost) == (3, 3, 0)
    taped.backup("b2")
    assert (taped.parts(), taped.near()) == (before, before)
