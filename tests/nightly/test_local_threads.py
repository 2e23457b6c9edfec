"""How the local engine shares out the cores."""

from __future__ import annotations

import os
import subprocess
import sys

from sdfo.nightly.local import LocalEngine


def test_cores_without_a_worker_go_to_threads() -> None:
    """All of them (four at most) where everything runs in this process, none where each has its worker."""
    cores = len(os.sched_getaffinity(0))
    assert LocalEngine(0).threads == LocalEngine(1).threads == min(4, cores)
    assert LocalEngine(cores).threads == LocalEngine(10 * cores).threads == 1


def test_a_worker_that_converts_imports_no_decoder() -> None:
    """It is started afresh for each step: half a second each time, if it did."""
    code = "import sys, sdfo.nightly.worker, sdfo.nightly.job; print(sorted({'av', 'scipy', 'skimage'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"
