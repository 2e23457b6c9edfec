"""The named places where a night may die, so that a test can make it die there.

A process whose environment has SDFO_CRASH_AT=<name> kills itself with SIGKILL the first time it passes that name: no
cleanup runs, as when a machine loses power. <name>:<n> dies at the n-th passing, <name>@<study> whenever it passes with
that study.
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
    "backup.begun",
    "backup.attempt-half",
    "backup.written",
    "backup.outcomes",
    "backup.verified",
    "backup.renamed",
    "backup.committed",
    "stage.attempt-half",
    "stage.written",
    "stage.proven",
    "stage.beside",
    "stage.sealed",
    "stage.committed",
    "stage.moved",
    "stage.ready",
    "stage.receipt",
    "restore.begun",
    "restore.back",
    "restore.verified",
    "restore.renamed",
    "restore.committed",
    "expire.decided",
    "expire.renamed",
    "expire.looked",
    "expire.emptied",
    "expire.committed",
    "expire.put-back",
    "expire.unlinked",
    "expire.forgotten",
    "scrub.read",
    "scrub.marked",
    "drill.restored",
    "retire.renamed",
    "retire.committed",
    "retire.deleted",
    "put.away",
    "put.renamed",
)

_passed: dict[str, int] = {}


def passing(name: str, about: str = "") -> None:
    """Die here if the environment says so. `name` is one of NAMES; `about` says which of many passes."""
    wanted, _, study = os.environ.get("SDFO_CRASH_AT", "").partition("@")
    wanted, _, count = wanted.partition(":")
    if wanted != name or study not in ("", about):
        return
    _passed[name] = _passed.get(name, 0) + 1
    if _passed[name] >= int(count or 1):
        os.kill(os.getpid(), signal.SIGKILL)
