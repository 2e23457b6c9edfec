"""An archive of its own for each test: a SAN folder, a store and a SQLite catalog below tmp_path."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sdfo import conf
from sdfo.nightly.ledger import Ledger
from sdfo.nightly.night import night
from sdfo.nightly.place import Place, init
from sdfo.nightly.summary import NightReport
from sdfo.stores.local import LocalStore

_TOML = """
site = "test"
[san]
root = "san"
settle_minutes = 0
[hdfs]
root = "hdfs"
[catalog]
url = "sqlite:///catalog.db"
[nearline]
root = "nearline"
[tape]
root = "tape"
[convert]
workers = 0
"""


@dataclass(frozen=True)
class Archive:
    """Runs nights over `san` and looks at what they left."""

    folder: Path

    @property
    def san(self) -> Path:
        return self.folder / "san"

    @property
    def toml(self) -> Path:
        return self.folder / "sdfo.toml"

    def settings(self, **flags: Any) -> conf.Settings:
        return conf.load(self.toml, **flags)

    def place(self, run: str = "r1", **flags: Any) -> Place:
        return Place(self.settings(**flags), run)

    def night(self, run: str = "r1", engine: str = "local", **flags: Any) -> NightReport:
        return night(self.place(run, **flags), engine)

    def end_turn(self) -> None:
        """Give back the lease of a run whose report was not written: another run may begin."""
        catalog = self.place().catalog
        holder = catalog.lease_holder("archive")
        if holder is not None:
            catalog.release(holder)

    def parts(self) -> dict[str, str]:
        """Every file below exams/, with its SHA-256."""
        store = LocalStore(self.folder / "hdfs")
        return {s.path: hashlib.sha256(store.read_all(s.path)).hexdigest() for s in store.list("exams")}

    def sdfo(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """The command line, as a process of its own."""
        command = [sys.executable, "-m", "sdfo.cli", "--conf", str(self.toml), "--json", *words]
        return subprocess.run(command, env={**os.environ, **environ}, capture_output=True, text=True, check=False)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    (tmp_path / "sdfo.toml").write_text(_TOML)
    made = Archive(tmp_path)
    made.san.mkdir()
    init(made.settings())
    return made


def lines(ledger: Ledger) -> dict[str, int]:
    """The lines of a ledger that are not empty."""
    return {name: count for name, count in ledger.lines.items() if count}


def said(done: subprocess.CompletedProcess[str]) -> Any:
    """The JSON document on a command's standard output."""
    return json.loads(done.stdout)
