"""A night over ordinary exams: everything is archived, served and counted; a second night changes nothing."""

from __future__ import annotations

import stat
from hashlib import sha256
from pathlib import Path

import pytest

from sdfo.catalog import Query
from sdfo.client import Archive as Client
from sdfo.errors import Fenced, Fuse, LeaseHeld, WrongSan
from sdfo.nightly.scan import scan
from sdfo.stores.local import LocalStore
from sdfo.testing.exams import make_exam
from sdfo.testing.odd import unmounted


def _exams(san: Path, count: int = 3, slices: int = 4) -> dict[str, bytes]:
    """Small exams; their files' bytes by path below the SAN."""
    for seed in range(count):
        make_exam(san / f"DOE^JANE_{seed}", slices=slices, modality="CT" if seed % 2 else "MR", seed=seed, size=32)
    return {str(p.relative_to(san)): p.read_bytes() for p in san.rglob("*") if p.is_file() and p.name != ".sdfo-san"}


def test_every_file_is_archived_counted_and_read_back(archive):
    """Files in = files out: each is in one part, in the ledger once, and comes back byte for byte without the SAN."""
    files = _exams(archive.san)
    found = archive.night()
    assert found.good
    assert not found.attention
    assert found.ledger.seen == len(files) == found.ledger.lines["archived tonight"]
    assert len(archive.parts()) == 3
    client = Client(archive.settings())
    studies = [row.study for row in client.find(Query())]
    with unmounted(archive.san):
        got = {(loc.folder + b"/" + loc.name).decode(): data for s in studies for loc, data in client.exam(s)}
    assert got == files


def test_a_second_night_finds_everything_archived(archive):
    """The second run writes nothing: the same files, and the ledger says `already archived`."""
    files = _exams(archive.san)
    archive.night("r1")
    before = archive.parts()
    found = archive.night("r2")
    assert found.good
    assert found.ledger.lines["already archived"] == len(files)
    assert archive.parts() == before


def test_repeating_the_same_run_changes_nothing(archive):
    """Every step of a run may be run again, the run as a whole too."""
    _exams(archive.san)
    archive.night("r1")
    before = archive.parts()
    assert archive.night("r1").good
    assert archive.parts() == before
    assert len(list(archive.place().catalog.find(Query()))) == 3


def test_late_images_become_a_further_part(archive):
    """What arrives the next day goes into a part of its own; the first part stays as it is."""
    make_exam(archive.san / "a", slices=3, modality="CT", seed=1, size=32)
    archive.night("r1")
    first = archive.parts()
    make_exam(archive.san / "a", slices=2, modality="CT", seed=1, size=32, first=4)
    found = archive.night("r2")
    assert found.good
    assert (found.ledger.lines["archived tonight"], found.ledger.lines["already archived"]) == (2, 3)
    assert set(first) < set(archive.parts())
    catalog = archive.place().catalog
    study = next(catalog.find(Query())).study
    assert [part.ordinal for part in catalog.parts(study)] == [1, 2]
    assert len(Client(archive.settings()).locator.files(study)) == 5


def test_the_same_bytes_under_another_name_are_an_alias(archive):
    """A file whose bytes the study holds is no new record; it is counted as archived, and served under its own name."""
    paths = make_exam(archive.san / "a", slices=2, modality="CT", seed=1, size=32)
    archive.night("r1")
    before = archive.parts()
    (archive.san / "a" / "again.dcm").write_bytes(paths[0].read_bytes())
    found = archive.night("r2")
    assert found.good
    assert found.ledger.alias == 1
    assert archive.parts() == before
    assert archive.night("r3").ledger.lines["already archived"] == 3


def test_a_new_folder_settles_within_its_first_scan(archive):
    """With settle_minutes, a folder never seen is listed twice in one scan, and archived that night."""
    _exams(archive.san, 1)
    assert archive.night("r1", san={"root": "san", "settle_minutes": 0.03}).ledger.lines["archived tonight"] == 4


def test_a_folder_that_changes_during_the_scan_waits(archive):
    """Between the two listings of a scan a file arrives: nothing of the exam is archived tonight, all of it later."""
    _exams(archive.san, 1)
    extra = archive.san / "DOE^JANE_0" / "late.dcm"

    def arrive(done: int, total: int, what: str) -> None:
        if "settle" in what:
            extra.write_bytes(b"still arriving")

    place = archive.place("r1", san={"root": "san", "settle_minutes": 0.03})
    place.catalog.start_run("r1", "local")
    assert scan(place, arrive).settling == 5
    archive.end_turn()
    assert archive.night("r2").ledger.lines["archived tonight"] == 5


def test_an_unmounted_san_is_not_an_empty_one(archive):
    """A root without the id file stops the night before anything is changed."""
    _exams(archive.san)
    archive.night("r1")
    with unmounted(archive.san):
        found = archive.night("r2")
        with pytest.raises(WrongSan):
            _ = archive.place("r3").san
    assert not found.good
    assert "mounted" in found.todo[0].what
    assert archive.night("r4").ledger.lines["already archived"] == 12


def test_a_san_that_shows_few_of_its_folders_blows_a_fuse(archive):
    """Fewer than half of the known folders: the run stops."""
    _exams(archive.san, 5)
    archive.night("r1")
    for seed in range(3):
        (archive.san / f"DOE^JANE_{seed}").rename(archive.folder / f"gone{seed}")
    archive.place("r2").catalog.start_run("r2", "local")
    with pytest.raises(Fuse):
        scan(archive.place("r2"))


def test_many_files_that_fail_alike_blow_a_fuse(archive):
    """When 20 files and more than 5 % fail for one reason, nothing is published and nothing quarantined."""
    for path in make_exam(archive.san / "a", slices=25, modality="CT", seed=1, size=32):
        path.write_bytes(path.read_bytes()[:-100])
    found = archive.night("r1")
    assert not found.good
    assert "alike" in found.todo[0].what
    assert archive.parts() == {}
    assert archive.place().catalog.quarantine() == []


def test_a_step_of_another_run_is_postponed(archive):
    """Two nights at once: the second finds the lease held, exit 75, and changes nothing."""
    _exams(archive.san)
    place = archive.place("r1")
    lease = place.catalog.take_lease("archive", "r1", "host:1")
    with pytest.raises(LeaseHeld) as held:
        archive.night("r2")
    assert held.value.exit_code == 75
    assert archive.parts() == {}
    place.catalog.release(lease)
    assert archive.night("r2").good


def test_a_zombie_with_an_old_token_publishes_nothing(archive, monkeypatch):
    """A publish step whose task was cleared meets Fenced before it renames or commits anything."""
    from sdfo.nightly.convert import convert
    from sdfo.nightly.local import LocalEngine
    from sdfo.nightly.publish import publish
    from sdfo.nightly.verify import verify

    _exams(archive.san)
    place = archive.place("r1")
    place.catalog.start_run("r1", "local")
    scan(place)
    convert(place, LocalEngine(0))
    verify(place, LocalEngine(0))
    real = place.read

    def cleared(name, kind, step):
        """The scheduler clears the task while it reads its manifest: a successor takes the next token."""
        if name == "verified.parquet":
            place.catalog.take_lease("archive", "r1", "successor")
        return real(name, kind, step)

    monkeypatch.setattr(place, "read", cleared)
    with pytest.raises(Fenced):
        publish(place)
    assert archive.parts() == {}
    assert place.catalog.known_paths("hdfs") == set()
    monkeypatch.undo()
    publish(place)
    assert len(archive.parts()) == 3


def test_a_step_refuses_to_build_on_one_that_is_not_done(archive):
    """verify before convert is an error that names the command to run."""
    done = archive.sdfo("scan", "--run", "r1")
    assert done.returncode == 0, done.stderr
    done = archive.sdfo("publish", "--run", "r1")
    assert done.returncode == 2
    assert "sdfo verify --run r1" in done.stdout + done.stderr


def test_names_stand_in_private_files_only(archive):
    """Folder names are patients' names: manifests and report are for their owner, and no file of the store is named so."""
    _exams(archive.san, 1)
    archive.night()
    runs = archive.folder / "hdfs" / "runs"
    assert stat.S_IMODE(runs.stat().st_mode) == 0o700
    assert {stat.S_IMODE(p.stat().st_mode) for p in runs.rglob("*") if p.is_file()} == {0o600}
    assert not any("DOE" in str(p.relative_to(archive.folder)) for p in (archive.folder / "hdfs").rglob("*"))


def test_a_good_night_leaves_word_for_a_monitor(archive):
    """last_good_night is written by a good night, and stays as it was when the next one is not good."""
    _exams(archive.san)
    store = LocalStore(archive.folder / "hdfs")
    archive.night("r1")
    word = store.read_all("last_good_night")
    assert word.split()[1] == b"r1"
    with unmounted(archive.san):
        archive.night("r2")
    assert store.read_all("last_good_night") == word


def test_a_damaged_copy_is_passed_over_and_marked(archive):
    """A flipped bit on HDFS: the reader gets the SAN's bytes; without the SAN it is told, not given wrong bytes."""
    from sdfo.errors import NotFound

    files = _exams(archive.san, 1)
    archive.night()
    (path,) = archive.parts()
    part = archive.folder / "hdfs" / path
    data = bytearray(part.read_bytes())
    data[-5] ^= 1
    part.write_bytes(bytes(data))
    client = Client(archive.settings())
    study = next(client.find(Query())).study
    last = client.locator.files(study)[-1]
    sop = last[0].sop
    assert (
        sha256(client.open(sop)).hexdigest()
        == sha256(files[(last[0].folder + b"/" + last[0].name).decode()]).hexdigest()
    )
    with unmounted(archive.san), pytest.raises(NotFound):
        client.open(sop)
    (part_row,) = client.catalog.parts(study)
    assert client.catalog.copies(part_row.id)[0].state == "damaged"
