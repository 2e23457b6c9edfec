"""`make demo`, all of it: an exam's whole life, twice, in a copy of what it needs of the checkout."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.long, pytest.mark.airflow, pytest.mark.timeout(1500)]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Copies of what finds `var/` by its own place, links to the rest."""
    for name in ("scripts", "conf", "dags", "jobs"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in (".venv", ".venv-airflow", "lib"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def demo(checkout: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [checkout / "scripts" / "demo"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )


def left(checkout: Path, folder: str) -> list[Path]:
    return [path for path in (checkout / "var" / folder).rglob("*") if path.is_file() and not path.name.startswith(".")]


def test_the_whole_life_and_once_more(checkout: Path, real_exams: Path) -> None:
    """Archived, backed up, on tape, gone from the SAN, HDFS and near-line, recalled: equal. The second begins afresh."""
    for _ in range(2):
        done = demo(checkout)
        assert done.returncode == 0, done.stdout
        assert "Equal: the archive gave back the bytes" in done.stdout
        assert re.search(r"345 removed for good", done.stdout)
        assert "it is on tape; recall" in done.stdout
        assert [len(left(checkout, name)) for name in ("san", "hdfs/exams", "nearline/exams", "tape-library")] == [
            0,
            1,
            2,
            1,
        ]
    assert "goes to var/before" in done.stdout
    assert len(left(checkout, "before/tape-library")) == 1


def test_an_archive_of_somebody_else_is_left_alone(checkout: Path) -> None:
    """One in var/ that no demonstration made: it says so, and changes nothing."""
    (checkout / "var" / "san" / "exam").mkdir(parents=True)
    done = demo(checkout)
    assert (done.returncode, "no demonstration made" in done.stdout) == (1, True)
    assert sorted(path.name for path in (checkout / "var").rglob("*")) == ["exam", "san"]
