"""Fuses: when so much is wrong that the fault must lie outside the exams, a run stops and quarantines nothing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from sdfo.conf import Limits
from sdfo.errors import Fuse
from sdfo.model import ExamOutcome, Fate, FileOutcome, Kind


def shrunk(listed: int, known: int, limits: Limits) -> None:
    """A listing that shows few of the known folders is a SAN that is half mounted, not one that was tidied up."""
    if listed < limits.shrink * known:
        raise Fuse(
            "the SAN shows too few of the known exam folders; nothing was changed",
            expected=f"at least {limits.shrink:.0%} of {known}",
            found=listed,
            next_command="check the mount, then sdfo scan again; if folders were removed on purpose, "
            "SDFO__LIMITS__SHRINK=0 sdfo scan",
        )


def alike(outcomes: Iterable[ExamOutcome], limits: Limits) -> None:
    """Many files that fail for one reason fail because of the disk, the network or this program."""
    files = [f for outcome in outcomes for f in outcome.files]
    for reason, count in Counter(filter(None, map(_failure, files))).most_common(1):
        if count >= limits.same_error_files and count > limits.same_error * len(files):
            raise Fuse(
                f"too many files fail alike ({reason}); nothing was published, nothing quarantined",
                expected=f"at most {limits.same_error:.0%} of {len(files)}",
                found=count,
                next_command="look at the SAN and at one of the files, then sdfo convert again; if they are what they "
                "should be, SDFO__LIMITS__SAME_ERROR=1 sdfo convert",
            )


def _failure(file: FileOutcome) -> str | None:
    """What a fuse counts by: the reason without its numbers; None for a file that did not fail."""
    failed = file.fate in (Fate.CHANGED, Fate.UNREADABLE, Fate.SET_ASIDE) or file.kind is Kind.DAMAGED
    return re.sub(r"[0-9]+", "…", file.reason or str(file.fate)) if failed else None
