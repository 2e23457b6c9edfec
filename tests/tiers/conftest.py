"""A SAN in a folder, and a process that permissions bind."""

from __future__ import annotations

import subprocess
import sys
from ast import literal_eval
from collections.abc import Callable
from pathlib import Path

import pytest

from sdfo.testing.unprivileged import unprivileged
from sdfo.tiers.san import San


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A SAN's root, which has its id."""
    San(str(tmp_path / "san")).adopt("tests")
    return tmp_path / "san"


@pytest.fixture
def san(root: Path) -> San:
    return San(str(root))


@pytest.fixture(scope="session")
def bound() -> Callable[..., object]:
    """Runs statements in a process that file permissions bind, also where the tests run as root; its last line's value."""

    def run(statements: str, *words: str) -> object:
        command = unprivileged([sys.executable, "-c", statements, *words])
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        return literal_eval(done.stdout.splitlines()[-1])

    return run
