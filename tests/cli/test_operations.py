"""The operator's manual says what there is: every line of the ledger, every setting, every exit code, every command."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from sdfo.cli import app
from sdfo.conf import Settings
from sdfo.model import Fate
from sdfo.nightly.freeing.gate import LINES
from sdfo.tiers.tape import ATTEMPTS, FOLDERS

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")


def _table(heading: str) -> list[list[str]]:
    """The rows of the first table below a heading."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def _defaults(fields: Any, above: str = "") -> Iterator[tuple[str, str]]:
    for name, field in fields.items():
        below = getattr(field.annotation, "model_fields", None)
        if below is not None:
            yield from _defaults(below, f"{name}.")
        else:
            yield above + name, "" if field.is_required() else str(field.default)


def test_every_line_of_the_ledger() -> None:
    """In the order of the page."""
    lines = [row[0] for row in _table("The page and its ledger")]
    assert lines == [*map(str, Fate), "**in no line**"]


def test_every_setting_with_its_default() -> None:
    """Two settings in one row have two defaults; times are shown without their seconds."""
    written = {}
    for names, defaults, _ in _table("Settings"):
        keys = re.findall(r"`([^`]+)`", names)
        values = re.findall(r"`([^`]+)`", defaults) or [""] * len(keys)
        written |= dict(zip(keys, values, strict=True))
    assert written == {key: value.removesuffix(":00") for key, value in _defaults(Settings.model_fields)}


def test_every_line_of_the_gate() -> None:
    """In its order, each with what to do."""
    rows = _table("Images leave the SAN")
    assert [row[0] for row in rows] == [line.name for line in LINES]
    assert all(row[1] and row[2] for row in rows)


def test_every_folder_of_the_staging_area() -> None:
    """Who writes into it, and who removes."""
    told = {row[0].strip("`").rstrip("/") for row in _table("Tape") if row[0].endswith("/`")}
    assert told == set(FOLDERS) - {ATTEMPTS}


def test_every_exit_code() -> None:
    """Those of the contract, and those of signals."""
    assert [row[0] for row in _table("Exit codes")] == ["0", "1", "2", "3", "75", "130, 143"]


def test_every_command_is_told_of() -> None:
    """No command that an operator would have to find by himself."""
    told = set(re.findall(r"sdfo ([a-z]+)", PAGE))
    assert set(get_command(app).commands) <= told  # type: ignore[attr-defined]


def test_ten_commands_to_a_first_night_on_a_cluster() -> None:
    """From a cluster to a night, with the proof before it."""
    section = PAGE.partition("\n## On a Hadoop cluster\n")[2].partition("\n## ")[0]
    shown = re.findall(r"^\$ (.+)$", section.partition("```console\n")[2].partition("```")[0], re.MULTILINE)
    assert len(shown) == 10
    assert shown[-3:] == ["sdfo ship", "sdfo doctor --cluster", "sdfo night"]
