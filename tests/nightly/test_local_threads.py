"""How the local engine shares out the cores."""

from __future__ import annotations

import os

from sdfo.nightly.local import LocalEngine


def test_cores_without_a_worker_go_to_threads() -> None:
    """All of them (four at most) where everything runs in this process, none where each has its worker."""
    cores = len(os.sched_getaffinity(0))
    assert LocalEngine(0).threads == LocalEngine(1).threads == min(4, cores)
    assert LocalEngine(cores).threads == LocalEngine(10 * cores).threads == 1
