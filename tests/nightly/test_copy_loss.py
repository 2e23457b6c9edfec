"""The copy-loss matrix: one tier destroyed loses nothing; two lose just the exams that had no copy elsewhere, each by name.

What an exam should survive is told by a model of its own (`COPIES`): where it was put by the steps that it went through.
"""

from __future__ import annotations

import hashlib
import io
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from sdfo.cli import main
from sdfo.client import Archive as Client
from sdfo.errors import NotFound
from sdfo.model import Tier
from sdfo.nightly.care.catalog_backup import catalog_backup
from sdfo.nightly.care.compare import compare, tiers
from sdfo.nightly.care.restore import RestoreReport, restore
from sdfo.nightly.care.scrub import scrub
from sdfo.nightly.freeing.retire import retire
from sdfo.testing.archive import Archive, new_archive
from sdfo.testing.dying import killed_at
from sdfo.testing.exams import make_exam, study_uid
from sdfo.testing.expiring import all_may_go, freed, moment, sql

SAN, HDFS, NEAR, TAPE = "san", "hdfs", "nearline", "tape"

COPIES: dict[str, set[str]] = {
    "young": {SAN, HDFS},
    "backed up": {SAN, HDFS, NEAR},
    "on tape": {SAN, HDFS, NEAR, TAPE},
    "off the SAN": {HDFS, NEAR, TAPE},
    "off HDFS": {NEAR, TAPE},
    "off HDFS, in grace": {HDFS, NEAR, TAPE},
    "off near-line": {HDFS, TAPE},
}
"""An exam of each state of life, and the tiers on which its bytes lie."""

SEEDS = {name: number for number, name in enumerate(COPIES, 1)}
POLICY: dict[str, Any] = {"copies": ["hdfs", "nearline", "tape"], "away": ["nearline", "tape"]}
LOSSES = [frozenset(tiers) for most in (1, 2, 3) for tiers in combinations((HDFS, NEAR, TAPE), most)]


def _arrive(archive: Archive, *names: str, run: str) -> None:
    for name in names:
        folder = archive.san / name.replace(" ", "-").replace(",", "")
        make_exam(folder, slices=2, modality="CT", seed=SEEDS[name], size=16, date="20200101")
    assert archive.night(run).good


def _retired(archive: Archive, tier: Tier, name: str, run: str, *, removed: int = 0) -> None:
    """This exam has become old enough; `removed`: how many of others have been through their days of grace by that."""
    values = {"study": study_uid(SEEDS[name]), "at": moment(400)}
    sql(archive, "UPDATE san_file SET first_seen = :at WHERE study = :study", **values)
    found = retire(archive.place(run, expire=POLICY | {f"{tier}_days": 365}), tier)
    assert (found.files, found.removed) == (1, removed)


def _end_grace(archive: Archive) -> None:
    sql(archive, "UPDATE outcome SET ended = :at, started = :at WHERE step LIKE 'expire-%'", at=moment(8))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Every exam in its state, brought there by the steps themselves; the originals aside."""
    archive = new_archive(tmp_path_factory.mktemp("copies"))
    _arrive(archive, "off the SAN", "off HDFS", "off HDFS, in grace", "off near-line", run="n1")
    shutil.copytree(archive.san, archive.folder / "originals")
    archive.on_tape("t1")
    all_may_go(archive)
    assert freed(archive, expire=POLICY).files == 8
    _retired(archive, Tier.HDFS, "off HDFS", "x1")
    _retired(archive, Tier.NEARLINE, "off near-line", "x2")
    _end_grace(archive)
    _retired(archive, Tier.HDFS, "off HDFS, in grace", "x3", removed=1)
    assert retire(archive.place("x4", expire=POLICY | {"nearline_days": 365}), Tier.NEARLINE).removed == 1
    _arrive(archive, "on tape", run="n2")
    archive.backup("b2")
    archive.on_tape("t2")
    _arrive(archive, "backed up", run="n3")
    archive.backup("b3")
    _arrive(archive, "young", run="n4")
    shutil.copytree(archive.san, archive.folder / "originals", dirs_exist_ok=True)
    archive.place().catalog.close()
    return archive


@pytest.fixture
def lived(template: Archive, tmp_path: Path) -> Archive:
    shutil.copytree(template.folder, tmp_path / "archive", symlinks=True)
    return Archive(tmp_path / "archive")


def originals(archive: Archive, name: str) -> set[str]:
    folder = archive.folder / "originals" / name.replace(" ", "-").replace(",", "")
    return {hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*.dcm")}


def served(archive: Archive, name: str) -> set[str]:
    client = Client(archive.settings())
    return {hashlib.sha256(data).hexdigest() for _, data in client.exam(study_uid(SEEDS[name]))}


def lie(archive: Archive, tier: str) -> Iterator[Path]:
    """Every file of a tier that holds parts."""
    roots = [archive.folder / tier] + ([archive.folder / "library"] if tier == TAPE else [])
    for root in roots:
        yield from (path for path in root.rglob("*") if path.suffix in (".sdicom", ".tar"))


def destroy_files(archive: Archive, tier: str) -> None:
    """All parts are gone, and the rest stays."""
    for path in list(lie(archive, tier)):
        path.unlink()


def destroy_root(archive: Archive, tier: str) -> None:
    """The disk is another one, and empty; for tapes so is the library."""
    for root in (archive.folder / tier, archive.folder / "library") if tier == TAPE else (archive.folder / tier,):
        shutil.rmtree(root)
        root.mkdir()


def command(archive: Archive, *words: str) -> tuple[int, str]:
    """A command in this very process: its exit code, and all that it says."""
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(out):
        return main(["--conf", str(archive.toml), *words]), out.getvalue()


def lost_by(report: RestoreReport) -> set[str]:
    """The studies that it names as lost; a recall is none."""
    return {row.study for row in report.rows if not row.good and row.recall is None}


def brought_back(archive: Archive, run: str) -> RestoreReport:
    """`restore --lost`, given again when the volumes are there that it asked for."""
    found = restore(archive.place(f"{run}1"), None)
    if not found.recalled:
        return found
    assert archive.library().once().served > 0
    again = restore(archive.place(f"{run}2"), None)
    assert again.recalled == 0
    return again


def initialised(archive: Archive, gone: frozenset[str]) -> None:
    new = [word for tier in sorted(gone - {HDFS}) for word in ("--new", tier)]
    code, said = command(archive, "init", *new)
    assert (code, "sdfo restore --lost" in said) == (0, True), said
    assert ("sdfo tape lost --all" in said) is (TAPE in gone)


def everything_after(archive: Archive, gone: frozenset[str]) -> None:
    lost = {name for name, copies in COPIES.items() if not copies - gone}
    if TAPE in gone:
        assert "2 volumes are given up: 5 parts" in command(archive, "tape", "lost", "--all")[1]
    for name in COPIES.keys() - lost:
        if COPIES[name] - gone - {TAPE} and name != "off HDFS, in grace":
            assert served(archive, name) == originals(archive, name), name
    report = brought_back(archive, "r")
    assert lost_by(report) == {study_uid(SEEDS[name]) for name in lost}
    archive.backup("b9")
    archive.on_tape("t9")
    for name in COPIES.keys() - lost:
        assert served(archive, name) == originals(archive, name), name
    for name in lost:
        with pytest.raises(NotFound):
            served(archive, name)
    _as_before(archive, lost, gone)


def _as_before(archive: Archive, lost: set[str], gone: frozenset[str]) -> None:
    """Every exam that is not lost has all copies it had, and those it waited for; none of them is set aside."""
    catalog = archive.place().catalog
    for name in COPIES.keys() - lost:
        (part,) = catalog.parts(study_uid(SEEDS[name]))
        there = {str(copy.tier) for copy in catalog.copies(part.id) if copy.state == "verified"}
        wanted = {HDFS, NEAR, TAPE} - ({NEAR} if name == "off near-line" else set())
        if name == "off HDFS" or (name == "off HDFS, in grace" and NEAR not in gone):
            wanted -= set() if NEAR in gone else {HDFS}
        assert there == wanted, name
    assert {row.study for row in catalog.quarantine()} <= {study_uid(SEEDS[name]) for name in lost}
    place = archive.place("look")
    assert compare(place, tiers(place)).differ == {}
    assert catalog_backup(archive.place("cb")).nearline


def test_the_model_is_what_the_archive_holds(lived: Archive) -> None:
    """Before anything is lost."""
    for name, copies in COPIES.items():
        (part,) = lived.place().catalog.parts(study_uid(SEEDS[name]))
        stems = {Path(copy.path).name for copy in lived.place().catalog.copies(part.id) if copy.tier is not Tier.TAPE}
        for tier in (HDFS, NEAR):
            assert any(path.name in stems for path in lie(lived, tier)) is (tier in copies), (name, tier)
        on_tape = [copy.state for copy in lived.place().catalog.copies(part.id) if copy.tier is Tier.TAPE]
        assert on_tape == (["verified"] if TAPE in copies else [])
        folder = lived.san / name.replace(" ", "-").replace(",", "")
        assert any(folder.rglob("*.dcm")) is (SAN in copies)
    assert restore(lived.place("r"), None).rows == ()


def _named(gone: frozenset[str]) -> str:
    return "+".join(sorted(gone))


@pytest.mark.parametrize(
    "gone", [pytest.param(each, marks=() if each == {NEAR, TAPE} else pytest.mark.long) for each in LOSSES], ids=_named
)
def test_parts_that_are_gone_come_back_by_one_command(lived: Archive, gone: frozenset[str]) -> None:
    """All files of these tiers are gone: what has a copy elsewhere is served, and comes back; what has none is named."""
    for tier in gone:
        destroy_files(lived, tier)
    everything_after(lived, gone)


@pytest.mark.parametrize(
    "gone", [pytest.param(each, marks=() if each == {HDFS, NEAR} else pytest.mark.long) for each in LOSSES], ids=_named
)
def test_new_disks_are_filled_again(lived: Archive, gone: frozenset[str]) -> None:
    """The roots are empty, ids and journal too: `sdfo init` takes the new ones, and says what comes next."""
    for tier in gone:
        destroy_root(lived, tier)
    initialised(lived, gone)
    everything_after(lived, gone)


@contextmanager
def library_at_work(archive: Archive) -> Iterator[None]:
    over, library = threading.Event(), archive.library()

    def serve() -> None:
        while not over.wait(0.02):
            library.once()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_an_operator_is_led_through_the_loss_of_hdfs(lived: Archive) -> None:
    """Each command names the next one: nothing is restored into an empty store, and `--wait` needs no second try."""
    destroy_root(lived, HDFS)
    code, said = command(lived, "restore", "--lost")
    assert code != 0
    assert "sdfo init, then sdfo restore --lost" in said
    initialised(lived, frozenset({HDFS}))
    with library_at_work(lived):
        code, said = command(lived, "restore", "--lost", "--wait")
    assert code == 0, said
    assert "0 lost" in said
    assert "waiting for a copy on nearline: 1 part; next: sdfo backup" in said
    assert "waiting for a copy on tape: 2 parts; next: sdfo stage" in said
    for name in COPIES:
        assert served(lived, name) == originals(lived, name)


def test_killed_between_its_days_of_grace_and_the_catalog_it_is_found_whole(lived: Archive) -> None:
    """It was the last copy there is: the next restore reads it where it lies."""
    for tier in (NEAR, TAPE):
        destroy_files(lived, tier)
    command(lived, "tape", "lost", "--all")
    assert killed_at("restore.back", lambda: restore(lived.place("r1"), None))
    sql(lived, "UPDATE lease SET run = ''")
    assert lost_by(restore(lived.place("r2"), None)) == {study_uid(SEEDS["off HDFS"])}
    assert served(lived, "off HDFS, in grace") == originals(lived, "off HDFS, in grace")


def test_only_near_line_and_tape_can_be_new(lived: Archive) -> None:
    """And a store that is not there is no new one unless a person says so."""
    assert command(lived, "init", "--new", "hdfs")[0] == 2
    destroy_root(lived, NEAR)
    assert "is it mounted" in command(lived, "init")[1]
    assert command(lived, "init", "--new", "nearline")[0] == 0


def test_a_scrub_says_what_becomes_of_damage_whose_source_is_on_tape(lived: Archive) -> None:
    """Of an exam that went from HDFS: recalled, not lost; then it is made again, and backed up again."""
    (part,) = lived.place().catalog.parts(study_uid(SEEDS["off HDFS"]))
    near = {copy.tier: copy for copy in lived.place().catalog.copies(part.id)}[Tier.NEARLINE]
    path = lived.folder / NEAR / near.path
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    found = scrub(lived.place("s1", expire={"scrub_days": 1e-6}, limits={"same_error_files": 9}))
    assert (found.damaged, found.recalled, found.queued, found.lost) == (1, 1, 0, 0)
    lived.library().once()
    again = restore(lived.place("r9"), None)
    assert (again.restored, again.queued, again.lost) == (1, 1, 0)
    assert lived.backup("b9").failed == 0
    assert {str(copy.tier): copy.state for copy in lived.place().catalog.copies(part.id)} == {
        HDFS: "verified",
        NEAR: "verified",
        TAPE: "verified",
    }
