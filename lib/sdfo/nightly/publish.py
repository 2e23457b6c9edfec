"""Step 4, publish: verified attempts get the names of their content, and the catalog learns of them.

In batches of 50 exams, each batch one transaction that checks the run's token. A rename that finds its target there, or
its source gone, reads the target's header: an equal check means that it was done before; anything else is an unknown
outcome, and nothing is cleaned up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sdfo import crashpoints
from sdfo.catalog import FileEntry, PartEntry, QuarantineEntry, entry_of
from sdfo.errors import Conflict, Exists, Missing, SdfoError
from sdfo.model import ExamOutcome, Fate, FileOutcome, Kind, PartOutcome, Tier
from sdfo.nightly.convert import outcomes
from sdfo.nightly.engines import Progress, silent
from sdfo.nightly.job import Verdict
from sdfo.nightly.place import Place
from sdfo.nightly.scan import ENGINE, SEEN, Seen
from sdfo.nightly.turn import Turn, turn
from sdfo.nightly.verify import VERDICTS
from sdfo.sdicom import Part

BATCH = 50
"""Exams in one transaction: long enough to be fast, short enough that a lost one costs seconds."""
PUBLISHED = "published.parquet"


@dataclass(frozen=True, slots=True)
class PublishedPart:
    """What became of one study of one exam folder; `check` is None where only aliases were noted."""

    folder_id: int
    study: str
    state: str
    check: str | None = None
    path: str | None = None
    ordinal: int | None = None
    reason: str | None = None

    @property
    def committed(self) -> bool:
        return self.state in ("new", "already", "alias")


@dataclass(frozen=True, slots=True)
class PublishReport:
    parts: int = 0
    new: int = 0
    already: int = 0
    aliases: int = 0
    set_aside: int = 0
    quarantined: int = 0


def publish(place: Place, progress: Progress = silent) -> PublishReport:
    """Publish the run's verified parts. Repeating it after any interruption ends in the same catalog and files."""
    with turn(place, "publish") as mine:
        step = _Publish(place, mine)
        exams = outcomes(place)
        for start in range(0, len(exams), BATCH):
            step.batch(exams[start : start + BATCH])
            progress(min(start + BATCH, len(exams)), len(exams), "exams published")
        place.write(PUBLISHED, step.published, PublishedPart)
        mine.report = step.report()
    report: PublishReport = mine.report
    return report
