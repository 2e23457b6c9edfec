"""The named places where a night may die, so that a test can make it die there.

A process whose environment has SDFO_CRASH_AT=<name> kills itself with SIGKILL the first time it passes that name: no
cleanup runs, as when a machine loses power. SDFO_CRASH_AT=<name>:<n> dies at the n-th passing.
"""

from __future__ import annotations

import os
import signal

NAMES = (
    "scan.listed",
    "scan.manifest",
    "convert.described",
    "convert.attempt-open",
    "convert.attempt-half",
    "convert.attempt-closed",
    "convert.outcomes",
    "verify.outcomes",
    "publish.renamed",
    "publish.committed",
    "report.written",
)

_passed: dict[str, int] = {}


def passing(name: str) -> None:
    """Die here if the environment says so. `name` is one of NAMES."""
    wanted, _, count = os.environ.get("SDFO_CRASH_AT", "").partition(":")
    if wanted != name:
        return
    _passed[name] = _passed.get(name, 0) + 1
    if _passed[name] >= int(count or 1):
        os.kill(os.getpid(), signal.SIGKILL)
