"""What engines keep on local disk while they work has patients' names in it: nobody else may look at it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from sdfo.model import ExamTask
from sdfo.nightly.mrjob import MrjobEngine
from sdfo.nightly.scan import TASKS, scan
from sdfo.testing.archive import Archive, new_archive
from sdfo.testing.exams import make_exam

pytestmark = pytest.mark.night


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    made = new_archive(tmp_path)
    make_exam(made.san / "a", slices=3, modality="CT", seed=1, size=32)
    return made


@contextmanager
def _watched(folder: Path) -> Iterator[dict[str, int]]:
    """The modes of what comes and goes in a folder, by name."""
    seen, over = dict[str, int](), threading.Event()

    def watch() -> None:
        while not over.wait(0.005):
            for entry in os.scandir(folder):
                try:
                    seen[entry.name] = stat.S_IMODE(entry.stat().st_mode)
                except FileNotFoundError:
                    continue

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    try:
        yield seen
    finally:
        over.set()
        watching.join()


def test_mrjobs_files_lie_in_a_folder_of_our_own(archive, monkeypatch):
    """All of them, from the exams' list to what mappers tell reducers; and nothing of it stays."""
    temporary = archive.folder / "tmp"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    monkeypatch.setenv("TMPDIR", str(temporary))
    place = archive.place()
    place.catalog.start_run("r1", "mrjob")
    scan(place)
    with _watched(temporary) as seen, closing(MrjobEngine(2)) as engine:
        (outcome,) = engine.convert(place.job, place.read(TASKS, ExamTask, "scan"))
    assert len(outcome.parts) == 1
    assert seen
    assert set(seen.values()) == {0o700}
    assert list(temporary.iterdir()) == []


_MODES = """
import os, sys
from contextlib import closing
from sdfo.spark.engine import SparkEngine
with closing(SparkEngine(1)) as engine:
    assert engine.session
    print(*(oct(os.stat(os.path.join(sys.argv[1], name)).st_mode & 0o777) for name in os.listdir(sys.argv[1])))
"""


def test_sparks_shuffles_lie_in_folders_of_our_own(tmp_path):
    """Spark makes the folders of its blocks for all to enter; before the first block is written nobody else may."""
    env = {**os.environ, "SPARK_LOCAL_DIRS": str(tmp_path)}
    command = [sys.executable, "-c", _MODES, str(tmp_path)]
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True)
    assert set(done.stdout.split()) == {"0o700"}


def test_progress_is_told_while_spark_works(archive, monkeypatch):
    """Not only at the end: every second, of all exams, never more than there are, and the whole of them at last."""
    from sdfo.spark import engine as module

    for seed in range(2, 12):
        make_exam(archive.san / f"exam{seed}", slices=3, modality="CT", seed=seed, size=32)
    monkeypatch.setattr(module, "_POLL_SECONDS", 0.02)
    place, told = archive.place(), list[tuple[int, int]]()
    place.catalog.start_run("r1", "spark")
    scan(place)
    with closing(module.SparkEngine(1)) as engine:
        engine.convert(
            place.job, place.read(TASKS, ExamTask, "scan"), lambda done, total, what: told.append((done, total))
        )
    assert {total for _, total in told} == {11}
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert len({done for done, _ in told}) > 2
    assert told[-1] == (11, 11)
