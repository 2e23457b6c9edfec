"""docs/operations.md, "Everything is lost but…": the commands as they stand there bring an archive back."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from sdfo.testing.exams import study_uid

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("\n## Everything is lost but…\n")[2].partition("\n## ")[0]
BLOCK = re.findall(r"^\$ sdfo (.+)$", SECTION, re.MULTILINE)
ROWS = {
    lost.strip(): [words.removeprefix("sdfo ") for words in re.findall(r"`(sdfo [^`]+)`", give)]
    for lost, give, _ in (line.strip("|").split("|") for line in SECTION.splitlines()[2:] if line.startswith("| "))
}


def _lived(site) -> list[bytes]:
    """Two exams on HDFS, near-line and tape, and no longer on the SAN; their catalog backed up. Their files."""
    for seed in (1, 2):
        site.exam(seed, slices=2)
    site.json("init")
    site.json("backup", "--run", site.json("night", "--run", "r")["run"])
    site.json("stage", "--run", "t1", "--now")
    site.json("tape", "simulate", "--once")
    site.json("stage", "--run", "t2")
    site.json("catalog", "backup", "--run", "r")
    files = sorted(path.read_bytes() for path in site.san.rglob("*.dcm"))
    for folder in [path for path in site.san.iterdir() if path.is_dir()]:
        shutil.rmtree(folder)
    return files


def _give(site, command: str) -> None:
    """As it stands on the page. Whoever waits for tapes is served by a library."""
    words = shlex.split(command)
    if "--wait" in words:
        site.run(*(word for word in words if word != "--wait"))
        site.json("tape", "simulate", "--once")
    done = site.run(*words)
    assert done.returncode == 0, (command, done.stdout, done.stderr)


def _came_back(site, files: list[bytes], to: str = "out") -> None:
    for seed in (1, 2):
        site.json("get", study_uid(seed), "--to", site.folder / to)
    assert sorted(path.read_bytes() for path in (site.folder / to).rglob("*.dcm")) == files
    assert site.json("catalog", "compare")["equal"]


def _lose(site, *folders: str) -> None:
    for folder in folders:
        shutil.rmtree(site.folder / folder)
        (site.folder / folder).mkdir()


def test_the_catalog_and_hdfs(site) -> None:
    """By the commands below the table; the gate stays shut until somebody has looked."""
    files = _lived(site)
    _lose(site, "hdfs")
    (site.folder / "catalog.db").unlink()
    for command in BLOCK:
        _give(site, command)
    _came_back(site, files)
    assert [line["next"] for line in site.json("status", code=1)["lines"] if line["what"] == "delete gate"] == [
        "sdfo expire --reopen"
    ]


@pytest.mark.long
def test_each_row_of_the_table(site) -> None:
    """HDFS, near-line, tapes, HDFS and near-line: lost in this order, each brought back by the words of its row."""
    files = _lived(site)
    for lost, folders in {
        "HDFS": ["hdfs"],
        "near-line": ["nearline"],
        "the tapes": ["tape", "tape-library"],
        "HDFS and near-line": ["hdfs", "nearline"],
    }.items():
        if lost == "HDFS and near-line":
            site.json("tape", "simulate", "--once")
            site.json("stage", "--run", "receipts")
        _lose(site, *folders)
        for command in ROWS[lost]:
            _give(site, command)
        if lost == "HDFS and near-line":
            site.json("backup", "--run", "last", "--any-time")
        _came_back(site, files, f"out after {lost}")
