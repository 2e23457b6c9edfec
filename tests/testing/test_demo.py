"""The demonstration's SAN: real exams with their origin, and generated ones."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sdfo.testing.demo import main
from sdfo.testing.exams import REAL_EXAMS, RealExam, pydicom_exams
from sdfo.testing.exams import real_exams as exams_below


def _files(san: Path) -> dict[str, tuple[int, int]]:
    """Inode and mtime of every file."""
    stats = {str(p.relative_to(san)): p.stat() for p in san.rglob("*") if p.is_file()}
    return {name: (stat.st_ino, stat.st_mtime_ns) for name, stat in stats.items()}


def _check_copies(san: Path, exams: tuple[RealExam, ...]) -> None:
    for exam in exams:
        for file in exam.files():
            assert (san / exam.name / file.relative_to(exam.folder)).read_bytes() == file.read_bytes()


def test_without_the_real_exams(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """pydicom's stand in; one line per exam says files, MB, origin and licence."""
    monkeypatch.delenv(REAL_EXAMS, raising=False)
    assert main([str(tmp_path / "san"), "--generated", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in lines] == [
        ["77654033", "7", "files"],
        ["98892001", "7", "files"],
        ["98892003", "17", "files"],
        ["generated-001", "40", "files"],
        ["generated-002", "40", "files"],
    ]
    assert all("MB" in line and "pydicom" in line and "MIT" in line for line in lines)
    _check_copies(tmp_path / "san", pydicom_exams())


def test_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Changes nothing, but brings back what is missing or was cut."""
    monkeypatch.delenv(REAL_EXAMS, raising=False)
    words = [str(tmp_path), "--generated", "1"]
    main(words)
    before = _files(tmp_path)
    main(words)
    assert _files(tmp_path) == before
    lost, cut = (tmp_path / name for name in ("77654033/CR1/6154", "98892003/MR1/15820"))
    lost.unlink()
    os.truncate(cut, 100)
    main(words)
    _check_copies(tmp_path, pydicom_exams())
    assert _files(tmp_path).keys() == before.keys()


def test_with_the_real_exams(tmp_path: Path, real_exams: Path) -> None:
    """As a command: each of them is an exam folder of the SAN."""
    command = [sys.executable, "-m", "sdfo.testing.demo", str(tmp_path)]
    environment = os.environ | {REAL_EXAMS: str(real_exams)}
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert [line.split()[0] for line in said.splitlines()] == ["ct-ge", "ct-philips-phantom", "mr-mprage"]
    assert "BSD-2-Clause" in said
    _check_copies(tmp_path, exams_below(real_exams))
