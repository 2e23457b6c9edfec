"""What the pages tell a person to type is what there is."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").glob("*.md"))
FENCE = re.compile(r"^```(?:console|bash|sh)\n(.*?)^```", re.DOTALL | re.MULTILINE)
VOLUMES = {"sha256sum", "tar", "python3"}
"""Run by tests/tiers/tape/test_without_us.py as the page of operations has them."""
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE))
TARGETS = {name for names in TARGETS for name in names.split()}
CONTRACT = {
    "help",
    "setup",
    "demo",
    "demo-cluster",
    "test",
    "test-long",
    "check",
    "bench",
    "airflow",
    "hadoop",
    "hadoop-up",
    "hadoop-down",
}


def commands(page: Path) -> list[str]:
    """The commands in a page's console blocks, `$` and comments left off; output of a command is not one."""
    found = []
    for block in FENCE.findall(page.read_text(encoding="utf-8")):
        lines = block.splitlines()
        shown = [line[2:] for line in lines if line.startswith("$ ")] or lines
        found += [line for line in shown if line.strip() and not line.startswith("#")]
    return found


ALL = [(page, command) for page in PAGES for command in commands(page)]


def words(command: str) -> list[str]:
    """The command's words, variables before it left off."""
    split = shlex.split(command, comments=True)
    while split and re.fullmatch(r"[A-Z_]+=.*", split[0]):
        split = split[1:]
    return split


def test_the_pages_have_commands() -> None:
    """The search finds those of README."""
    assert {page.name for page, _ in ALL} >= {"README.md", "CONTRIBUTING.md"}


@pytest.mark.parametrize(("page", "command"), ALL, ids=lambda value: getattr(value, "name", value))
def test_a_documented_command_exists(page: Path, command: str, parses) -> None:
    """A target of make is there, words of sdfo parse, a path of the project is there."""
    program, *rest = words(command)
    if program == "make":
        wanted = {word for word in rest if "=" not in word}
        assert wanted <= TARGETS
    elif Path(program).name == "sdfo":
        parses(shlex.join(rest))
    elif program == "cp":
        assert all((ROOT / source).exists() for source in rest[:-1])
    elif "/" in program:
        assert (ROOT / program).exists() or program.startswith(".venv")
    else:
        assert program in {"git", "cd", "rm", "apt-get", "airflow", "export", "createuser", "createdb"} | VOLUMES


def test_make_alone_lists_the_targets() -> None:
    """Every target of the contract that this state of the project has is in the help, and help is the default."""
    listed = subprocess.run(["make", "-C", ROOT], capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"^  make ([a-z-]+)", listed, re.MULTILINE)) >= CONTRACT


def test_ci_only_calls_make() -> None:
    """.ci/run does nothing that a person would not type after reading README."""
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    assert [line for line in lines if line.startswith("make")] == ["make test"]
    assert set(lines) - {"make test"} <= {"#!/usr/bin/env bash", "set -euo pipefail", 'cd "$(dirname "$0")/.."', ""} | {
        line for line in lines if line.startswith("#")
    }
