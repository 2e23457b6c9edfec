"""Crash points: a process dies where, and when, it was told to."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import sdfo
from sdfo import crashpoints

PROGRAM = """
import atexit
from sdfo.crashpoints import NAMES, passing
atexit.register(print, "cleaned up", flush=True)
try:
    for number in range(1, 4):
        for name in NAMES:
            passing(name)
            print(number, name, flush=True)
finally:
    print("finally", flush=True)
"""


def _run(where: str | None) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "SDFO_CRASH_AT"}
    if where is not None:
        environment["SDFO_CRASH_AT"] = where
    return subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("where", "lap"), [("publish.renamed", 1), ("publish.renamed:1", 1), ("publish.renamed:3", 3)])
def test_dies_at_the_nth_passing(where: str, lap: int) -> None:
    """By SIGKILL, before the next statement; no handler and no `finally` runs."""
    died = _run(where)
    assert died.returncode == -signal.SIGKILL
    last = crashpoints.NAMES[crashpoints.NAMES.index("publish.renamed") - 1]
    assert died.stdout.splitlines()[-1] == f"{lap} {last}"


@pytest.mark.parametrize("where", [None, "", "no.such-point", "publish.renamed:4"])
def test_lives_otherwise(where: str | None) -> None:
    """Without the variable, at another name, or when the point is passed too seldom."""
    lived = _run(where)
    assert lived.returncode == 0
    assert lived.stdout.splitlines()[-2:] == ["finally", "cleaned up"]
    assert len(lived.stdout.splitlines()) == 3 * len(crashpoints.NAMES) + 2


def test_every_name_in_the_code_is_declared() -> None:
    """And given as a literal, so that it can be found."""
    assert len(set(crashpoints.NAMES)) == len(crashpoints.NAMES)
    calls = [call for file in sorted(Path(sdfo.__file__).parent.rglob("*.py")) for call in _passings(file)]
    for call in calls:
        assert isinstance(call.args[0], ast.Constant)
        assert call.args[0].value in crashpoints.NAMES


def _passings(file: Path) -> list[ast.Call]:
    tree = ast.parse(file.read_bytes())
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "passing"
    ]
