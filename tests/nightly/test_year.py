"""The year in five minutes: by a clock of its own exams arrive, things break and are killed, the SAN is freed, and nothing is lost.

A failing seed is run again by `SDFO_YEAR_SEED=<seed> pytest tests/nightly/test_year.py -s`, all of its year with `-m long` too.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sdfo.testing.year.plan import SHORT, YEAR, Plan
from sdfo.testing.year.simulation import Outcome, Simulation

FIXED = 6
SEED = os.environ.get("SDFO_YEAR_SEED")


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory, where there is one: the year waits for no disk (a killed process loses nothing that it wrote)."""
    folder = Path(tempfile.mkdtemp(prefix="sdfo-year-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
    yield folder
    shutil.rmtree(folder)


def seeds(*own: int) -> list[int]:
    return list(own) if SEED is None else [int(SEED)]


def simulated(folder: Path, plan: Plan, seed: int) -> Outcome:
    print(f"\nseed {seed}: SDFO_YEAR_SEED={seed} pytest tests/nightly/test_year.py -s")
    found = Simulation(folder, plan, seed).run()
    print(found)
    assert (found.lost, found.wrong, found.early) == (0, 0, 0)
    assert min(found.freed, found.removed, found.recalled) > 0
    return found


@pytest.mark.parametrize("seed", seeds(FIXED))
def test_a_month(memory: Path, seed: int) -> None:
    """Days in place of months: every image that was acknowledged comes back, none was freed before its time."""
    simulated(memory, SHORT, seed)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", seeds(1, 2, 0))
def test_a_year(memory: Path, seed: int) -> None:
    """400 nights by the days of the default settings: 0 lost, 0 wrong, 0 freed too early. Seed 0 stands for another each time."""
    found = simulated(memory, YEAR, seed or random.SystemRandom().randrange(1_000_000))
    assert found.retired > 0
    assert sum(found.died.values()) > 0
