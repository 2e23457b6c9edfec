"""The backup's last act, where the settings allow it: lossy second objects beside the copies that were just verified.

Nothing of the backup depends on it. What fails here is counted and left; the lossless copies are in the catalog by then.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from sdfo.catalog import PartRow
from sdfo.catalog.waiting import BACKUP
from sdfo.errors import EngineError, UsageError
from sdfo.lossy import LossyImage
from sdfo.model import Tier
from sdfo.nightly.batches import name_of
from sdfo.nightly.deriving import DeriveOutcome, DeriveTask
from sdfo.nightly.engines import Engine, derive_all, verify_all
from sdfo.nightly.job import Job
from sdfo.nightly.place import Place
from sdfo.nightly.putting import put, set_away
from sdfo.nightly.turn import Turn, turn

DERIVE = "derive"
BATCH = 200
"""Parts in one engine job, where they are not those of a backup's batch."""


@dataclass(frozen=True, slots=True)
class LossyReport:
    """`derived` images; `refused`: how many were, by reason. PSNR of the backgrounds in dB, of those that changed at all.

    `failed`: parts of which nothing could be made, by reason.
    """

    derived: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    psnr_worst: float | None = None
    psnr_median: float | None = None
    failed: dict[str, int] = field(default_factory=dict)


def derive(place: Place, engine: Engine, uid: str | None) -> LossyReport:
    """Make the lossy objects of the studies that a UID is of anew, or (None) those of all near-line copies.

    `UsageError` where the settings want none, `NotFound` for a UID of nothing that is archived.
    """
    step = LossyStep(place, engine)
    if not step.on:
        raise UsageError("no modality may have lossy objects", next_command="set lossy.modalities: docs/lossy.md")
    place.catalog.start_run(place.run, engine.ran.partition(" ")[0])
    with turn(place, DERIVE, lease=BACKUP) as mine:
        step.each(mine, _parts(place, uid))
        mine.report = found = step.report()
    place.catalog.release(mine.lease)
    return found


def _parts(place: Place, uid: str | None) -> Iterator[PartRow]:
    if uid is not None:
        yield from (part for study in place.archived(uid) for part in place.catalog.parts(study))
        return
    page = place.catalog.page_of_copies(Tier.NEARLINE)
    while page:
        yield from (part for part, _ in page)
        page = place.catalog.page_of_copies(Tier.NEARLINE, after=page[-1][0].id)


class LossyStep:
    """Collects what became of each batch."""

    def __init__(self, place: Place, engine: Engine) -> None:
        self.place, self.engine = place, engine
        self.images = list[LossyImage]()
        self.failed = Counter[str]()

    @property
    def on(self) -> bool:
        return bool(self.place.settings.lossy.modalities)

    def each(self, mine: Turn, parts: Iterable[PartRow]) -> None:
        """Published parts, whether or not they have lossy objects already; those without a near-line copy are left out."""
        job, catalog = replace(self.place.job, nearline=self.place.nearline_id), self.place.catalog
        known = ((part, {row.tier: row for row in catalog.copies(part.id) if row.state != "retired"}) for part in parts)
        wanted = [
            (part.id, part.study, part.check, copies[Tier.HDFS].path)
            for part, copies in known
            if Tier.NEARLINE in copies and Tier.HDFS in copies
        ]
        for at in range(0, len(wanted), BATCH):
            self.batch(mine, job, wanted[at : at + BATCH])

    def batch(self, mine: Turn, job: Job, parts: Iterable[tuple[int, str, str, str]]) -> None:
        """`parts` by id, study, check and path on HDFS; each has a verified near-line copy in the catalog."""
        tasks = [self._task(*part) for part in parts] if self.on else []
        if not tasks:
            return
        if job.until is not None and time.time() >= job.until:
            self.failed["the hours are over"] += len(tasks)
            return
        found = derive_all(self.engine, job, tasks)
        halt = next((outcome.halt for outcome in found if outcome.halt is not None), None)
        if halt is not None:
            raise halt.error()
        self._put(mine, job, found)
        images = [image for outcome in found for image in outcome.images]
        self.images += images
        self.place.write(f"lossy/{name_of([(task.study, task.check) for task in tasks])}.parquet", images, LossyImage)

    def report(self) -> LossyReport:
        measured = [image.psnr for image in self.images if image.psnr is not None and math.isfinite(image.psnr)]
        refused = Counter(image.reason for image in self.images if image.reason is not None)
        return LossyReport(
            derived=sum(image.derived is not None for image in self.images),
            refused=dict(refused.most_common()),
            psnr_worst=min(measured, default=None),
            psnr_median=median(measured) if measured else None,
            failed=dict(self.failed.most_common()),
        )

    def _task(self, part_id: int, study: str, check: str, path: str) -> DeriveTask:
        catalog = self.place.catalog
        copies = tuple(catalog.copies(part_id))
        rows = [copy for part in catalog.parts(study) for copy in catalog.copies(part.id)]
        beside = tuple(copy.path for copy in rows if copy.tier is Tier.HDFS and copy.state != "retired")
        return DeriveTask(study, check, path, copies, beside)

    def _put(self, mine: Turn, job: Job, found: Sequence[DeriveOutcome]) -> None:
        """Verify what was written in other processes, and give it its name; what is out of date goes."""
        self.failed.update(outcome.reason for outcome in found if outcome.reason is not None)
        written = [outcome.written for outcome in found if outcome.written is not None]
        mine.check()
        for outcome in found:
            if outcome.reason is None and outcome.written is None:
                set_away(self.place.nearline, outcome.path, self.place.run)
        try:
            verdicts = verify_all(self.engine, replace(job, tier=Tier.NEARLINE), written) if written else []
        except EngineError as error:
            self.failed[error.what] += len(written)
            return
        mine.check()
        for part, verdict in zip(written, verdicts, strict=True):
            if verdict.reason is None:
                put(self.place.nearline, part, self.place.run)
            else:
                self.failed[f"read again: {verdict.reason}"] += 1
