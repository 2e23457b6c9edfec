"""Help: what there is, told at once."""

from __future__ import annotations

import subprocess
import sys

COMMANDS = [
    "init",
    "night",
    "scan",
    "convert",
    "verify",
    "publish",
    "backup",
    "restore",
    "expire",
    "stage",
    "tape",
    "recall",
    "recalls",
    "report",
    "backfill",
    "find",
    "locate",
    "get",
    "head",
    "region",
    "store",
    "ls",
    "check",
    "quarantine",
    "hold",
    "scrub",
    "drill",
    "gc",
    "catalog",
    "doctor",
    "ship",
    "status",
    "config",
]
HEAVY = {
    "pydicom",
    "pyarrow",
    "sqlalchemy",
    "pyspark",
    "mrjob",
    "numpy",
    "pydantic",
    "jinja2",
    "zstandard",
    "alembic",
} | {"scipy", "skimage", "PIL"}


def test_help_lists_the_contract(site):
    """Every command of architecture's list that exists so far is there, and no other."""
    help_text = site.sdfo("--help").stdout
    listed = [line.split()[1] for line in help_text.splitlines() if line.startswith("│ ") and line[2] != " "]
    assert sorted(word for word in listed if not word.startswith("-")) == sorted(COMMANDS)


def test_each_command_has_help(parses):
    """`sdfo COMMAND --help` is a sentence for each; each command is registered under its name."""
    from typer.main import get_command

    from sdfo.cli import app

    commands = get_command(app).commands
    assert sorted(commands) == sorted(COMMANDS)
    assert all(command.help for command in commands.values())


def test_help_imports_nothing_heavy():
    """What takes a second to import is imported by the command that needs it."""
    code = "import sys, sdfo.cli; sdfo.cli.main(['--help']); print(*sorted({m.split('.')[0] for m in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.splitlines()[-1].split())
