"""kill -9 while volumes are made, then once more: each part on one volume, each volume whole, nothing left behind."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import pytest

from sdfo.catalog import Query
from sdfo.crashpoints import NAMES
from sdfo.model import Tier
from sdfo.nightly.care.gc import gc
from sdfo.testing.archive import APART, Archive, fill, new_archive
from sdfo.testing.dying import killed_at, killed_at_fsync
from sdfo.testing.exams import make_exam
from sdfo.tiers import tape
from sdfo.tiers.tape import proving
from sdfo.tiers.tape.reading import own_manifest

POINTS = [name for name in NAMES if name.startswith("stage.")]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Two parts wait, one of them with a large file beside it. Tests copy it."""
    archive = new_archive(tmp_path_factory.mktemp("waiting"))
    make_exam(archive.san / "large", slices=1, modality="CT", seed=7, size=800)
    fill(archive.san, range(1), 16)
    assert archive.night(**APART).good
    archive.place().catalog.close()
    return archive


@pytest.fixture
def waiting(template: Archive, tmp_path: Path) -> Archive:
    return template.copy(tmp_path / "archive")


def _round(archive: Archive, run: str = "t1") -> None:
    """Receipts and new volumes; then the tape system's turn."""
    archive.stage(run, **APART)
    archive.library().once()


def _whole(archive: Archive) -> None:
    """Once all is on tape: one copy of each part, on volumes that are whole, and nothing else."""
    catalog, store = archive.place().catalog, archive.place().tape
    archive.stage("last", **APART)
    copies = catalog.page_of_copies(Tier.TAPE)
    assert [copy.state for _, copy in copies] == ["verified"] * 2
    assert (catalog.queue("tape").parts, catalog.queue("tape").aside, catalog.quarantine(None)) == (0, 0, [])
    volumes = catalog.volumes()
    assert {copy.path.partition("/")[0] for _, copy in copies} == {row.name for row in volumes}
    shelf = archive.library().shelf
    assert {stat.path for stat in shelf.list()} == {f"{row.name}.tar" for row in volumes}
    for row in volumes:
        manifest = own_manifest(shelf, f"{row.name}.tar")
        assert (row.state, proving.digest_of(shelf, f"{row.name}.tar")) == ("verified", row.sha256)
        assert proving.unreadable(shelf, f"{row.name}.tar", manifest) == {}
    gc(archive.place(), keep_seconds=0)
    kept = {tape.receipt(row.name) for row in volumes} | {tape.manifest(row.name) for row in volumes}
    kept |= {tape.digest(tape.MANIFESTS, row.name) for row in volumes}
    kept |= {f"{folder}/{tape.KEEP}" for folder in tape.FOLDERS} | {tape.ID_FILE, "open/next.json"}
    assert {stat.path for stat in store.list()} == kept
    assert len(list(catalog.find(Query()))) == 2


@pytest.mark.parametrize("point", POINTS)
def test_a_stage_killed_at_a_crash_point_is_made_good_by_the_next(waiting: Archive, point: str) -> None:
    """Of the same run, as a scheduler's retry does; the tape system goes on meanwhile."""

    def rounds() -> None:
        _round(waiting)
        _round(waiting)

    assert killed_at(point, rounds)
    waiting.library().once()
    _round(waiting)
    _whole(waiting)


@pytest.mark.long
def test_a_stage_killed_anywhere_is_made_good_by_the_next(template: Archive, tmp_path: Path) -> None:
    """At each of its fsyncs, and thereby between any two renames and commits; by the same run and by another one."""
    deaths = 0
    for number, run in enumerate(("t1", "t2")):
        at = 0
        while True:
            at += 1
            archive = template.copy(tmp_path / f"dying-{number}-{at}")
            if not killed_at_fsync(at, partial(archive.stage, "t1", **APART)):
                break
            holder = archive.place().catalog.lease_holder("stage")
            if holder is not None and run != "t1":
                archive.place().catalog.release(holder)
            archive.library().once()
            _round(archive, run)
            _whole(archive)
            shutil.rmtree(archive.folder)
            deaths += 1
    assert deaths > 40
