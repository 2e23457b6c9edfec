"""The bench runs, prints each of its rows, and leaves nothing behind. Never a time: machines differ."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]

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


@pytest.mark.night
def test_every_row_is_printed(tmp_path: Path) -> None:
    """One table with every row of the issue, as text, as JSON and as a page; the working folder is removed."""
    work = tmp_path / "work"
    files = {"--json": tmp_path / "rows.json", "--markdown": tmp_path / "page.md"}
    command = [sys.executable, "-m", "bench", "--quick", "--folder", str(work)]
    for option, file in files.items():
        command += [option, str(file)]
    ran = subprocess.run(command, cwd=CHECKOUT, env=os.environ | {"PYTHONPATH": ""}, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[-4000:]
    lines = [line for line in ran.stdout.splitlines() if line.startswith("|")][2:]
    assert len(lines) == len(ROWS)
    assert [row for row in ROWS if not any(line.startswith(f"| {row}") for line in lines)] == []
    rows = json.loads(files["--json"].read_text())
    assert len(rows) == len(lines)
    assert all(len(row["ours"]) == 1 and min(row["ours"]) > 0 for row in rows)
    assert all(line in files["--markdown"].read_text() for line in lines)
    assert not list(work.iterdir())
