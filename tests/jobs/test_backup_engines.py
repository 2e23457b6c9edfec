"""The near-line backup with each engine and each codec: the same files, and the originals back from them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sdfo.nightly.care.restore import restore
from sdfo.testing.archive import Archive, fill, new_archive
from sdfo.testing.exams import make_exam

JOB = Path(__file__).parents[2] / "jobs" / "backup_exams.py"


def _copies(archive: Archive, folder: Path, count: int) -> list[Archive]:
    archive.place().catalog.close()
    return [Archive(Path(shutil.copytree(archive.folder, folder / str(n), symlinks=True))) for n in range(count)]


@pytest.mark.parametrize("codec", ["htj2k", "j2k-roi"])
def test_a_part_comes_back_from_compressed_copies(tmp_path: Path, codec: str) -> None:
    """Under its own name with the same bytes, a large file beside one too; the copy is another file, smaller, with its codec in the
    catalog."""
    archive = new_archive(tmp_path)
    fill(archive.san, range(2), 128)
    make_exam(archive.san / "large", slices=1, modality="CT", seed=7, size=1024)
    settings = {
        "hdfs": {"root": "hdfs", "max_record_mib": 1},
        "nearline": {"root": "nearline", "codec": codec, "workers": 0, "start": "00:00", "end": "00:00"},
    }
    archive.night(**settings)
    before = archive.parts()
    done = archive.backup(**settings)
    assert (done.parts, done.compressed) == (3, 4)
    assert done.written < done.bytes
    assert archive.place().catalog.known_paths("nearline") == set(archive.near())
    same = set(archive.near().values()) & set(before.values())
    assert len(same) == 2  # the large file, and its part, which holds nothing else
    for path in before:
        (archive.folder / "hdfs" / path).unlink()
    assert restore(archive.place("x", **settings), None).restored == 3
    assert archive.parts() == before
    catalog = archive.place().catalog
    for row in catalog.page_of_copies("nearline"):
        assert (row[1].codec, str(row[1].form), row[1].path in archive.near()) == (codec, "codestream", True)


@pytest.mark.long
@pytest.mark.night
def test_all_engines_copy_the_same_bytes(tmp_path: Path) -> None:
    """In this process, by local workers, by Spark (as its job is submitted too) and with mrjob: the same names and bytes."""
    (tmp_path / "first").mkdir()
    first = new_archive(tmp_path / "first")
    fill(first.san, range(3), 64)
    first.night()
    local, spark, mrjob, submitted = _copies(first, tmp_path / "copies", 4)
    codec = {"SDFO__NEARLINE__CODEC": "htj2k", "SDFO__NEARLINE__WORKERS": "2"}
    for archive, engine in ((local, "local"), (spark, "spark"), (mrjob, "mrjob")):
        done = archive.sdfo("backup", "--run", "b1", "--engine", engine, **codec)
        assert done.returncode == 0, done.stderr
    command = [sys.executable, str(JOB), "--run", "b1", "--conf", str(submitted.toml)]
    env = {**os.environ, **codec}
    for _ in range(2):  # and again, with an empty queue
        subprocess.run(command, env=env, check=True, capture_output=True)
    near = local.near()
    assert len(near) == 3
    assert spark.near() == mrjob.near() == submitted.near() == near
    assert submitted.place().catalog.steps("b1")["backup"].report["parts"] == 0


@pytest.mark.long
@pytest.mark.night
def test_an_exam_that_kills_its_spark_worker_is_set_aside(tmp_path: Path) -> None:
    """Spark repeats the exams one by one: the others are copied in the same run."""
    archive = new_archive(tmp_path)
    fill(archive.san, range(3), 16)
    archive.night()
    study = archive.place().catalog.queued(9)[1].study
    done = archive.sdfo("backup", "--run", "b1", "--engine", "spark", SDFO_CRASH_AT=f"backup.begun@{study}")
    assert done.returncode == 0, done.stderr
    assert len(archive.near()) == 2
    (entry,) = archive.place().catalog.quarantine()
    assert (entry.study, entry.kind) == (study, "backup")
