"""Sites of their own for the command line's tests: settings, SAN, store and catalog lie below tmp_path."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from sdfo.cli import main
from sdfo.testing.exams import make_exam, study_uid

PATIENT = "Zwirbelhuber^Xaver"
"""Stands in every folder's and file's name on the SAN, as patients' names do in a hospital."""

_TOML = """
site = "cli"
[san]
root = "../san"
settle_minutes = 0
[hdfs]
root = "../hdfs"
[catalog]
url = "sqlite:///../catalog.db"
[nearline]
root = "../nearline"
codec = "original"
workers = 0
start = "00:00"
end = "00:00"
[tape]
root = "../tape"
[convert]
workers = 0
"""


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it said."""

    returncode: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Site:
    """A SAN, a store and a catalog in `folder`, and the command line that works there."""

    folder: Path

    @property
    def san(self) -> Path:
        return self.folder / "san"

    @property
    def hdfs(self) -> Path:
        return self.folder / "hdfs"

    def env(self, **variables: str) -> dict[str, str]:
        """The environment of every command: nothing of the archive's comes from outside."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("SDFO")}
        return own | {"SDFO_CONF": str(self.folder / "conf" / "site.toml")} | variables

    def command(self, *words: str | Path) -> list[str]:
        return [sys.executable, "-m", "sdfo.cli", *map(str, words)]

    def sdfo(self, *words: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        """The command as a process of its own."""
        env = self.env(**variables)
        return subprocess.run(self.command(*words), env=env, capture_output=True, text=True, check=False, timeout=300)

    def run(self, *words: str | Path, **variables: str) -> Done:
        """The same call without a new process: a fifth of the time."""
        out, err, before = io.StringIO(), io.StringIO(), signal.getsignal(signal.SIGTERM)
        try:
            with patch.dict(os.environ, self.env(**variables), clear=True), redirect_stdout(out), redirect_stderr(err):
                code = main([str(word) for word in words])
        finally:
            signal.signal(signal.SIGTERM, before)
        return Done(code, out.getvalue(), err.getvalue())

    def json(self, *words: str | Path, code: int = 0, **variables: str) -> Any:
        """The one document on standard output of a command that ends with `code`."""
        done = self.run("--json", *words, **variables)
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)

    def exam(self, seed: int, *, slices: int = 4, size: int = 16) -> list[Path]:
        """An exam folder with the patient's name in it."""
        files = make_exam(self.san / f"{PATIENT}_{seed}", slices=slices, modality="CT", seed=seed, size=size)
        return [file.rename(file.with_name(f"{PATIENT}-{file.name}")) for file in files]

    def part(self, seed: int) -> str:
        """The path in the store of the one part of `exam(seed)`."""
        found = [path for path in self.hdfs.rglob("*.sdicom") if f"/{study_uid(seed)}-" in str(path)]
        return str(found[0].relative_to(self.hdfs))


def make_site(folder: Path) -> Site:
    (folder / "conf").mkdir(parents=True)
    (folder / "conf" / "site.toml").write_text(_TOML)
    return Site(folder)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Nothing is there yet but the settings."""
    return make_site(tmp_path / "site")


@pytest.fixture(scope="session")
def archived(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site after one night over three exams, one file of which is damaged. Tests do not change it."""
    made = make_site(tmp_path_factory.mktemp("cli") / "site")
    for seed in (1, 2, 3):
        files = made.exam(seed)
    files[1].write_bytes(files[1].read_bytes()[:-100])
    assert made.sdfo("init").returncode == 0
    night = made.sdfo("night", "--run", "first", SDFO__CONVERT__WORKERS="2")
    assert night.returncode == 3, night.stdout + night.stderr
    return made
