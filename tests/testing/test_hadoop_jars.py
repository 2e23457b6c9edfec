"""Hadoop's jars are those that the lock names, or the cluster does not start."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from sdfo.testing.hadoop import jars


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two jars as they are locked."""
    made = tmp_path / "jars"
    made.mkdir()
    for name in ("a-1.jar", "b-2.jar"):
        (made / name).write_bytes(name.encode())
    lines = (f"{hashlib.sha256(f.read_bytes()).hexdigest()}  {f.name}\n" for f in sorted(made.iterdir()))
    (tmp_path / "jars.lock").write_text("".join(lines))
    monkeypatch.setattr(jars, "LOCK", tmp_path / "jars.lock")
    monkeypatch.setattr(jars, "JARS", made)
    return made


def test_as_locked(folder: Path) -> None:
    """Nothing is wrong, and nothing is gathered."""
    assert jars.faults(folder) == []
    assert jars.gather() == folder


def test_a_jar_that_is_other_missing_or_too_many(folder: Path) -> None:
    (folder / "a-1.jar").write_bytes(b"other")
    (folder / "b-2.jar").rename(folder / "b-3.jar")
    assert jars.faults(folder) == ["a-1.jar", "b-2.jar", "b-3.jar"]


def test_without_maven(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Says what to install; what was there stays."""
    (folder / "a-1.jar").unlink()
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(FileNotFoundError, match="apt-get install maven"):
        jars.gather()
    assert (folder / "b-2.jar").exists()


def test_the_lock_is_what_sha256sum_reads() -> None:
    """Every line of the committed one, a Hadoop of the pinned version among them."""
    lock = jars.ROOT / "conf" / "hadoop" / "jars.lock"
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "--ignore-missing", lock], cwd="/", capture_output=True, text=True
    )
    assert "improperly formatted" not in done.stderr
    assert "hadoop-hdfs-3.5.0.jar" in jars.locked()
