"""The command line: `sdfo [--conf FILE] [--json] COMMAND`. Its words and exit codes are a contract (docs/operations.md).

A command is a function that gives back an `Answer`; `edge` prints it, and tells errors. What is heavy (pydicom, pyarrow,
SQLAlchemy, pydantic) is imported by the command that needs it, so that `sdfo --help` answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from sdfo.cli import (
    backfill,
    care,
    doctor,
    edge,
    expire,
    files,
    find,
    hold,
    nearline,
    proof,
    query,
    receive,
    region,
    settings,
    ship,
    status,
    steps,
    tape,
)
from sdfo.cli.app import app

__all__ = ["app", "main"]

for _commands in (
    steps,
    backfill,
    nearline,
    expire,
    tape,
    find,
    query,
    region,
    receive,
    files,
    care,
    hold,
    proof,
    status,
    doctor,
    ship,
    settings,
):
    _commands.register(app)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    return edge.run(app, list(sys.argv[1:] if argv is None else argv))
