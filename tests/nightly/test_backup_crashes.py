"""kill -9 during a backup or a restore, then once more: nothing lost, one copy of each part, the same bytes."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sdfo.catalog import Query
from sdfo.crashpoints import NAMES
from sdfo.nightly.backup import backup
from sdfo.nightly.care.gc import gc
from sdfo.nightly.care.restore import restore
from sdfo.nightly.local import LocalEngine
from sdfo.testing.archive import APART, Archive, fill, new_archive
from sdfo.testing.dying import killed_at, killed_at_fsync
from sdfo.testing.exams import make_exam

SHORT = {"backup.outcomes", "backup.renamed", "backup.committed", "restore.renamed", "put.away", "put.renamed"}
"""Where something is durable and something else is not yet; the others leave a mere attempt, and are looked at in the long tests."""


def _points(*begins: str) -> list[Any]:
    names = (name for name in NAMES if name.startswith(begins))
    return [pytest.param(name, marks=() if name in SHORT else pytest.mark.long) for name in names]


BACKUP, RESTORE = (
    _points("backup.", "put.renamed"),
    _points("restore.begun", "restore.v", "restore.r", "restore.c", "put."),
)
"""`restore.back` is passed where a copy lies in its days of grace: tests/nightly/test_copy_loss.py."""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Two parts wait, one of them with a large file beside it. Tests copy it."""
    archive = new_archive(tmp_path_factory.mktemp("waiting"))
    make_exam(archive.san / "large", slices=1, modality="CT", seed=7, size=800)
    make_exam(archive.san / "large", slices=1, modality="MR", seed=7, size=16, series=2, study=_study(archive))
    fill(archive.san, range(1), 16)
    assert archive.night(**APART).good
    archive.place().catalog.close()
    return archive


def _study(archive: Archive) -> str:
    from sdfo.testing.exams import study_uid

    return study_uid(7)


@pytest.fixture
def waiting(template: Archive, tmp_path: Path) -> Archive:
    return template.copy(tmp_path / "archive")


def _back_up(archive: Archive) -> object:
    return backup(archive.place("b1", **APART), LocalEngine(0))


def _whole(archive: Archive) -> None:
    """The originals, one copy of each, nothing that waits, nothing that was left behind."""
    assert archive.near() == archive.parts()
    assert len(archive.parts()) == 3
    catalog = archive.place().catalog
    for tier in ("hdfs", "nearline"):
        assert catalog.known_paths(tier) == set(archive.parts())
    parts = [part for row in catalog.find(Query()) for part in catalog.parts(row.study)]
    assert [[copy.state for copy in catalog.copies(part.id)] for part in parts] == [["verified"] * 2] * 2
    assert (catalog.queue().parts, catalog.queue().aside, catalog.quarantine(None)) == (0, 0, [])
    gc(archive.place(), keep_seconds=0)
    for store in (archive.place().store, archive.place().nearline):
        assert not list(store.list("attempts"))
    assert restore(archive.place("look", **APART), None, dry_run=True).rows == ()


@pytest.mark.parametrize("point", BACKUP)
def test_a_backup_killed_at_a_crash_point_is_made_good_by_the_next(waiting: Archive, point: str) -> None:
    """Of the same run, as a scheduler's retry does."""
    before = waiting.parts()
    assert killed_at(point, lambda: _back_up(waiting))
    _back_up(waiting)
    assert waiting.parts() == before
    _whole(waiting)


@pytest.mark.parametrize("point", RESTORE)
def test_a_restore_killed_at_a_crash_point_is_made_good_by_the_next(waiting: Archive, point: str) -> None:
    """Under an id of its own, once the dead one's lease is given back."""
    before = waiting.parts()
    _back_up(waiting)
    for path in before:
        file = waiting.folder / "hdfs" / path
        file.write_bytes(file.read_bytes()[:-1] + b"\xff")
    study = Path(next(path for path in before if path.endswith(".dcm"))).name.split("-")[0]
    assert killed_at(point, lambda: restore(waiting.place("x1", **APART), study))
    held = waiting.place().catalog.lease_holder("restore")
    assert held is not None
    waiting.place().catalog.release(held)
    for path in before:
        restore(waiting.place("x2", **APART), Path(path).name.split("-")[0])
    assert waiting.parts() == before
    _whole(waiting)


@pytest.mark.long
def test_a_backup_killed_anywhere_is_made_good_by_the_next(template: Archive, tmp_path: Path) -> None:
    """At each of its fsyncs, renames and commits in between; half of the times a damaged copy is there to be replaced."""
    deaths = 0
    for replaced in (False, True):
        ready = template.copy(tmp_path / f"ready-{replaced}")
        if replaced:
            _back_up(ready)
            for path in ready.parts():
                (ready.folder / "nearline" / path).write_bytes(b"SEQ")
            restore(ready.place("x", **APART), None)
            for row in ready.place().catalog.find(Query()):
                restore(ready.place("x", **APART), row.study)
            ready.place().catalog.close()
        at = 0
        while True:
            at += 1
            dying = ready.copy(tmp_path / "dying")
            if not killed_at_fsync(at, partial(_back_up, dying)):
                break
            _back_up(dying)
            _whole(dying)
            shutil.rmtree(dying.folder)
            deaths += 1
        shutil.rmtree(dying.folder)
    assert deaths > 30
