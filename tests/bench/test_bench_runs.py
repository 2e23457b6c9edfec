"""The bench runs, prints each of its rows, and leaves nothing behind. Never a time: machines differ."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]

ON_THIS_MACHINE = ("conversion", "spark", "reading", "heads", "memory")
ROWS = (
    "conversion (CT), one thread",
    "conversion (CT), ",
    "merge alone (CT), one thread",
    "merge alone (CT), ",
    "conversion (MR, heads of 100 KB), one thread",
    "conversion (MR, heads of 100 KB), ",
    "merge alone (MR, heads of 100 KB), one thread",
    "merge alone (MR, heads of 100 KB), ",
    "Spark's speed-up by a 2nd worker",
    "the same convert step: Spark",
    "one image of 3, by SOP UID",
    "one image of 6, by SOP UID",
    "one image of 6 : one image of 3",
    "first image of a file of 3",
    "first image of a file of 6",
    "first image of a file of 9",
    "ten tags of an exam (CT), warm",
    "ten tags of an exam (CT), cold",
    "ten tags of an exam (CT): bytes read",
    "ten tags of an exam (MR, heads of 100 KB), warm",
    "ten tags of an exam (MR, heads of 100 KB), cold",
    "ten tags of an exam (MR, heads of 100 KB): bytes read",
    "peak memory, MR of 4 : MR of 2",
    "peak memory, MR of 6",
)


COMPRESSED = ("codecs", "backup")
COMPRESSED_ROWS = (
    *(
        f"{what} ({exam}, {region})"
        for what in ("region first", "size, region first")
        for exam in ("CT", "MR")
        for region in ("body", "circle of 20 mm")
    ),
    "cutting a codestream at its first layer",
    *(f"an exam compressed (MR, {codec})" for codec in ("j2k", "htj2k", "j2k-roi")),
    *(f"{what} ({exam})" for what in ("an exam on near-line", "preview of an image") for exam in ("CT", "MR")),
)
ASKED = (
    *(f"a {what}" for what in ("patient's id", "patient's name", "family name", "study", "day", "month", "modality")),
    "a modality and a month",
    "patient, modality, month",
    "everything",
)
CATALOG_ROWS = tuple(
    row
    for database in ("SQLite", "PostgreSQL")
    for row in (
        f"a catalog of 60 exams filled ({database})",
        *(f"find {what} ({database}), {share}" for what in ASKED for share in ("p50", "p95")),
        f"a night of 4 exams published, UIDs as scanners give them ({database})",
        f"a night of 4 exams published, random UIDs ({database})",
    )
)
ON_HADOOP = ("namenode", "hdfs", "images", "clients")
HADOOP_ROWS = (
    "NameNode objects, exam of 1 ",
    "NameNode objects, exam of 3 ",
    "merge to HDFS (CT), one thread",
    "merge to HDFS (CT), ",
    "whole exam from HDFS (CT), opened by path",
    "whole exam from HDFS (CT), asked of the client",
    "one image from HDFS, by SOP UID",
    "… the slowest of 100 (p99)",
    "converting, 1 client(s)",
    "converting, 2 client(s)",
    "converting one exam of 6 images",
    "reading, 1 client(s)",
    "reading, 2 client(s)",
    "reading one exam of 6 images",
)
LAYOUT_ROWS = tuple(
    f"{what}: S-DICOM : {layout}"
    for what in ("NameNode objects of an exam", "an exam written", "an exam read whole", "one image")
    for layout in ("a file per image", "MapFile", "HAR")
)


@pytest.mark.long
@pytest.mark.night
def test_every_row_is_printed(tmp_path: Path) -> None:
    """One table with every row of these groups, as text, as JSON and as a page; the working folder is removed."""
    _run(tmp_path, ON_THIS_MACHINE, ROWS)


@pytest.mark.long
def test_every_compressed_row_is_printed(tmp_path: Path) -> None:
    """The same of images and exams compressed, here generated ones."""
    _run(tmp_path, COMPRESSED, COMPRESSED_ROWS)


@pytest.mark.long
def test_every_row_of_the_catalog_is_printed(tmp_path: Path) -> None:
    """The same on both databases, with a handful of exams."""
    _run(tmp_path, ("catalog",), CATALOG_ROWS)


def test_the_page_of_sizes(tmp_path: Path) -> None:
    """One line an exam, one a prefix; the region is exact in each of them."""
    page = tmp_path / "compression.md"
    command = [sys.executable, "-m", "bench.compression", "--quick", "--markdown", str(page)]
    ran = subprocess.run(command, cwd=CHECKOUT, env=os.environ | {"PYTHONPATH": ""}, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[-4000:]
    lines = [[cell.strip() for cell in line.split("|")] for line in page.read_text().splitlines() if line[:1] == "|"]
    assert [line[1] for line in lines if line[1] in ("CT", "MR")][:2] == ["CT", "MR"]
    prefixes = [line for line in lines if " of " in line[3] and "images" in line[3]]
    assert {line[3].split(",")[0][:1] for line in prefixes} >= {"1", "2"}
    assert {line[4] for line in prefixes} == {"0"}


@pytest.mark.hadoop
@pytest.mark.long
def test_every_row_on_hadoop_is_printed(tmp_path: Path) -> None:
    """The same of the groups that start a cluster, which is gone after it with all it stored."""
    _run(tmp_path, ON_HADOOP, HADOOP_ROWS)


@pytest.mark.hadoop
@pytest.mark.long
def test_every_layout_is_compared(tmp_path: Path) -> None:
    """The same; each layout gave the bytes of the originals, else the bench ends badly. Two MapReduce jobs."""
    _run(tmp_path, ("layouts",), LAYOUT_ROWS)


def _run(tmp_path: Path, groups: Sequence[str], expected: Sequence[str]) -> None:
    work = tmp_path / "work"
    files = {"--json": tmp_path / "rows.json", "--markdown": tmp_path / "page.md"}
    command = [sys.executable, "-m", "bench", "--quick", "--folder", str(work)]
    for name in groups:
        command += ["--only", name]
    for option, file in files.items():
        command += [option, str(file)]
    ran = subprocess.run(command, cwd=CHECKOUT, env=os.environ | {"PYTHONPATH": ""}, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[-4000:]
    lines = [line for line in ran.stdout.splitlines() if line.startswith("|")][2:]
    assert len(lines) == len(expected)
    assert [row for row in expected if not any(line.startswith(f"| {row}") for line in lines)] == []
    rows = json.loads(files["--json"].read_text())
    assert len(rows) == len(lines)
    assert all(len(row["ours"]) == 1 and min(row["ours"]) > 0 for row in rows)
    assert all(line in files["--markdown"].read_text() for line in lines)
    assert not list(work.iterdir())
