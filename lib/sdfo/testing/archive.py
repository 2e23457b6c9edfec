"""An archive below one folder: SAN, store and SQLite catalog, with the means to run nights over it."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import sys
from contextlib import closing, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pydicom

from sdfo import conf
from sdfo.cli import main
from sdfo.nightly.backup import BackupReport, backup
from sdfo.nightly.care.gc import gc
from sdfo.nightly.engines import open_engine
from sdfo.nightly.night import night
from sdfo.nightly.place import Place, init
from sdfo.nightly.summary import NightReport
from sdfo.nightly.tape.stage import StageReport, stage
from sdfo.stores.local import LocalStore
from sdfo.testing.exams import make_exam
from sdfo.tiers.tape.simulate import Library

TOML = """
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
codec = "original"
workers = 0
start = "00:00"
end = "00:00"
[tape]
root = "tape"
[convert]
workers = 0
"""

APART: dict[str, Any] = {"hdfs": {"root": "hdfs", "max_record_mib": 1}}
"""Settings with which a file of more than 1 MiB is kept beside its part."""


@dataclass(frozen=True, slots=True)
class Archive:
    """Runs nights over `san` and looks at what they left."""

    folder: Path

    def copy(self, folder: Path) -> Archive:
        """The same archive again, at a folder that is not there yet."""
        return Archive(Path(shutil.copytree(self.folder, folder, symlinks=True)))

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

    def backup(self, run: str = "b1", engine: str = "local", **flags: Any) -> BackupReport:
        place = self.place(run, **flags)
        with closing(open_engine(engine, place.settings)) as opened:
            return backup(place, opened)

    def stage(self, run: str = "t1", *, now: bool = True, **flags: Any) -> StageReport:
        return stage(self.place(run, **flags), now=now)

    def library(self, delay: float = 0.0, *, reads_back: bool = True) -> Library:
        """A tape library at the staging area, its tapes in a folder of the archive's."""
        return Library(self.place().tape, LocalStore(self.folder / "library"), delay, reads_back)

    def on_tape(self, run: str = "t1") -> None:
        """What waits is staged, written to tape and read back, and no longer in the staging area."""
        self.stage(run)
        self.library().once()
        self.stage(f"{run}-receipts")

    def end_turn(self) -> None:
        """Give back the lease of a run whose report was not written: another run may begin."""
        catalog = self.place().catalog
        holder = catalog.lease_holder("archive")
        if holder is not None:
            catalog.release(holder)

    def parts(self) -> dict[str, str]:
        """Every file below exams/, with its SHA-256."""
        store = self.place().store
        return {s.path: hashlib.sha256(store.read_all(s.path)).hexdigest() for s in store.list("exams")}

    def near(self) -> dict[str, str]:
        """The same of the near-line store."""
        store = self.place().nearline
        return {s.path: hashlib.sha256(store.read_all(s.path)).hexdigest() for s in store.list("exams")}

    def no_attempts(self) -> bool:
        """Whether gc leaves none on near-line."""
        gc(self.place(), keep_seconds=0)
        return not list(self.place().nearline.list("attempts"))

    def command(self, *words: str, **environ: str) -> tuple[int, str]:
        """The command line in this very process: its exit code, and all that it said."""
        out = io.StringIO()
        with patch.dict(os.environ, environ), redirect_stdout(out), redirect_stderr(out):
            code = main(["--conf", str(self.toml), "--json", *words])
        return code, out.getvalue()

    def sdfo(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """The command line, as a process of its own."""
        command = [sys.executable, "-m", "sdfo.cli", "--conf", str(self.toml), "--json", *words]
        return subprocess.run(command, env={**os.environ, **environ}, capture_output=True, text=True, check=False)


def new_archive(folder: Path) -> Archive:
    """An archive with an empty SAN, ready for a night in this very process (`convert.workers` = 0)."""
    (folder / "sdfo.toml").write_text(TOML)
    made = Archive(folder)
    made.san.mkdir()
    init(made.settings())
    return made


def fill(san: Path, numbers: range, size: int = 64) -> None:
    """An exam of two images for each number; the same number gives the same bytes."""
    for number in numbers:
        make_exam(san / f"exam{number:02}", slices=2, modality="CT", seed=number, size=size)


def parts_on_disk(folder: Path, numbers: range, size: int = 64) -> dict[str, str]:
    """What one night on local disk makes of `fill`'s exams: `Archive.parts`."""
    local = new_archive(folder)
    fill(local.san, numbers, size)
    if not local.night().good:
        raise RuntimeError("a night over whole exams on local disk was not good")
    return local.parts()


def images_off_the_san(archive: Archive, exams: int, slices: int) -> dict[str, str]:
    """Exams, archived and gone from the SAN: SHA-256 of each image by its SOP Instance UID."""
    made = [make_exam(archive.san / f"exam{n}", slices=slices, modality="CT", seed=n, size=64) for n in range(exams)]
    images = {_sop(file): hashlib.sha256(file.read_bytes()).hexdigest() for files in made for file in files}
    if not archive.night().good:
        raise RuntimeError("a night over whole exams was not good")
    archive.san.rename(archive.folder / "san-elsewhere")
    archive.san.mkdir()
    return images


def _sop(file: Path) -> str:
    return str(pydicom.dcmread(file, stop_before_pixels=True).SOPInstanceUID)
