"""The near-line backup: parts that wait for their copy, oldest first, within its own hours, beside the nights.

Batch by batch: an engine's workers write each part with the near-line codec as an attempt on near-line, restoring every
image on the way; other processes then open each attempt there by name and hash all of it: what was proven to restore is
what lies on the disk. Only then it gets the name of its content and a row in the catalog. A part that cannot be backed up
costs only itself: it is tried again after all the others, and a second time in vain it is set aside.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from statistics import median
from typing import Any

from sdfo import crashpoints
from sdfo.catalog import NewCopy, QuarantineNote, Waiting
from sdfo.catalog.waiting import BACKUP
from sdfo.conf import GIB
from sdfo.errors import EngineError, Missing, Postponed, StoreError
from sdfo.model import Tier
from sdfo.nightly import figures
from sdfo.nightly.backing import BackupOutcome, BackupTask, hours, is_late, recipe_of
from sdfo.nightly.batches import cut, name_of
from sdfo.nightly.engines import KILLED, Engine, Progress, backup_all, shifted, silent, verify_all
from sdfo.nightly.job import Job
from sdfo.nightly.lossy import LossyReport, LossyStep
from sdfo.nightly.place import Place
from sdfo.nightly.putting import is_there, put, set_away
from sdfo.nightly.turn import Turn, turn

PAGE = 1000
"""Parts that are looked at for the next batch."""
MOST_TRIES = 2
_FIRST = 0.1  # of a batch, where the end of the hours is to be met and nothing is known of the speed


@dataclass(frozen=True, slots=True)
class BackupReport:
    """`bytes` on HDFS of the `parts` that now have a copy, `written` on near-line. `left`: parts that wait still.

    `compressed`: files, of which `judged` were read by the second decoder too; `kept`: those that were copied as they are, by
    reason; `regions`: frames by how their protected region was found. `per_second`: of one worker and one exam;
    `rate`: of all of them, the second reading included. `lossy`: the second objects, None where the settings want none.
    """

    parts: int = 0
    bytes: int = 0
    written: int = 0
    compressed: int = 0
    judged: int = 0
    kept: dict[str, int] = field(default_factory=dict)
    regions: dict[str, int] = field(default_factory=dict)
    failed: int = 0
    set_aside: int = 0
    left: int = 0
    stopped: str = ""
    per_second: float | None = None
    rate: float | None = None
    ran_by: str = ""
    lossy: LossyReport | None = None


def backup(place: Place, engine: Engine, progress: Progress = silent, *, any_time: bool = False) -> BackupReport:
    """Back up what waits, until nothing does or the hours are over.

    `Postponed` where nothing was done because it is not the time, another backup is at work, or a store is away; `WrongStore`
    if the near-line store is not mounted, `Full` if it is full: what was done before that is done.
    """
    until = None if any_time else _until(place)
    place.catalog.start_run(place.run, engine.ran.partition(" ")[0])
    with turn(place, BACKUP, lease=BACKUP) as mine:
        step = _Backup(place, engine, mine, until)
        try:
            step.work(progress)
        except StoreError:
            place.mounted_nearline()  # which may be why
            raise
        mine.report = step.report()
        if step.stopped and not step.sums["parts"] and not step.sums["failed"]:
            raise _not_now(place)
    place.catalog.release(mine.lease)
    report: BackupReport = mine.report
    return report


def require_time(place: Place) -> None:
    """`Postponed` if something waits and now is not the time for it, or its end too near for the first of it."""
    until, first = _until(place), next(iter(place.catalog.queued(1)), None)
    job = replace(place.job, until=until, per_second=_last(place).get("per_second"))
    if first is not None and is_late(job, _task(first)):
        raise _not_now(place)


def _until(place: Place) -> float | None:
    """When the hours end that are now, in seconds since the epoch; None if they never do."""
    window, now = hours(place.settings), datetime.now(UTC)
    if window.start == window.end:
        return None
    span = window.holding(now)
    if span is None and place.catalog.queue().parts:
        raise _not_now(place)
    return (now if span is None else span[1]).timestamp()


def _not_now(place: Place) -> Postponed:
    waiting, zone = figures.many(place.catalog.queue().parts, "part"), place.settings.night.timezone
    return Postponed(
        f"it is not the time: the backup works from {hours(place.settings)} ({zone}); {waiting} waiting",
        next_command=f"again then, or sdfo backup --run {place.run} --any-time",
    )


class _Backup:
    def __init__(self, place: Place, engine: Engine, mine: Turn, until: float | None) -> None:
        self.place, self.engine, self.mine, self.until = place, engine, mine, until
        self.total = place.catalog.queue().parts
        self.tried: set[int] = set()
        self.sums, self.kept, self.regions = Counter[str](), Counter[str](), Counter[str]()
        self.speeds: list[float] = []
        self.seconds, self.stopped = 0.0, ""
        self.lossy = LossyStep(place, engine)
        self._last = _last(place)

    @property
    def per_second(self) -> float | None:
        return median(self.speeds) if self.speeds else self._last.get("per_second")

    @property
    def rate(self) -> float | None:
        return self.sums["bytes"] / self.seconds if self.sums["bytes"] and self.seconds else self._last.get("rate")

    def work(self, progress: Progress) -> None:
        if not self.total:
            return
        job = replace(self.place.job, nearline=self.place.nearline_id, until=self.until)
        earlier = self._earlier()
        while not self.stopped and (batch := self._next()):
            if is_late(replace(job, per_second=self.per_second), batch[0]):
                self.stopped = "the hours are over"
                return
            began = time.monotonic()
            self._batch(replace(job, per_second=self.per_second), batch, earlier, progress)
            self.seconds += time.monotonic() - began

    def _next(self) -> list[BackupTask]:
        """The oldest that were not tried in this run, one batch of them."""
        rows = self.place.catalog.queued(PAGE + self.sums["failed"])
        fresh = [_task(row) for row in rows if row.part_id not in self.tried]
        batch = next(cut(fresh, self._most()), [])
        modalities = self.place.catalog.modalities(task.part_id for task in batch)
        return [replace(task, modality=modalities.get(task.part_id, "")) for task in batch]

    def _most(self) -> float:
        """Bytes of a batch: all that it may have, or what is thought to be done, and read again, before the hours end."""
        full = self.place.settings.nearline.batch_gib * GIB
        if self.until is None:
            return full
        if self.rate is None:
            return full * _FIRST
        return min(full, self.rate * max(0.0, self.until - time.time()))

    def _earlier(self) -> dict[tuple[str, str], BackupOutcome]:
        """What earlier tries of this run wrote, by study and check."""
        found = dict[tuple[str, str], BackupOutcome]()
        for stat in self.place.store.list(self.place.path(BACKUP)):
            name = stat.path.removeprefix(self.place.path(""))
            if not name.endswith(".parquet"):
                continue  # an attempt that a kill left behind
            for outcome in self.place.read(name, BackupOutcome, BACKUP):
                found[outcome.study, outcome.check] = outcome
        return found

    def _still(self, outcome: BackupOutcome | None) -> BackupOutcome | None:
        """An earlier outcome, if its attempt is there, or was renamed and is whole: something else may lie at its name."""
        if outcome is None or outcome.written is None:
            return None
        store, part = self.place.nearline, outcome.written
        with suppress(Missing):
            return outcome if store.stat(part.attempt) else None
        beside = [part.path, *(new for _, new in part.apart)]
        return outcome if all(is_there(store, part, path) for path in beside) else None

    def _batch(
        self,
        job: Job,
        tasks: Sequence[BackupTask],
        earlier: dict[tuple[str, str], BackupOutcome],
        progress: Progress,
    ) -> None:
        self.tried |= {task.part_id for task in tasks}
        done = {task: self._still(earlier.pop((task.study, task.check), None)) for task in tasks}
        left = [task for task, outcome in done.items() if outcome is None or outcome.codec != _codec(job, task)]
        if left:
            done |= dict(zip(left, self._written(job, left, progress), strict=True))
        outcomes = [(task, outcome) for task, outcome in done.items() if outcome is not None]
        self.mine.check()
        written = [outcome for _, outcome in outcomes if outcome.written is not None]
        if left and written:
            self.place.write(f"{BACKUP}/{name_of(tasks)}.parquet", written, BackupOutcome)
        crashpoints.passing("backup.outcomes")
        self._publish(job, [(task, outcome) for task, outcome in outcomes if outcome.written is not None])
        self._heed(outcomes)

    def _written(self, job: Job, tasks: Sequence[BackupTask], progress: Progress) -> list[BackupOutcome]:
        """Where no exam comes through none is to blame; yet all go behind the others, who else might wait for ever."""
        shown = shifted(progress, self.sums["parts"] + self.sums["failed"], self.total)
        try:
            return backup_all(self.engine, job, tasks, shown, proven=self.sums["parts"] > 0)
        except EngineError as error:
            self.place.catalog.note_failed_backups(self.mine.lease, [task.part_id for task in tasks], error.what)
            raise

    def _heed(self, outcomes: Sequence[tuple[BackupTask, BackupOutcome]]) -> None:
        """What came to nothing: exams that failed are noted; an error that no exam is to blame for ends the step."""
        for task, outcome in outcomes:
            if outcome.reason is not None:
                self._fail(task, outcome.reason, source=outcome.source)
            elif outcome.late:
                self.stopped = "the hours are over"
            elif outcome.seconds:
                self.speeds.append(task.size / outcome.seconds)
        halt = next((outcome.halt for _, outcome in outcomes if outcome.halt is not None), None)
        if halt is not None:
            raise halt.error()

    def _publish(self, job: Job, written: Sequence[tuple[BackupTask, BackupOutcome]]) -> None:
        """Read the attempts again, give those that are whole their names, and tell the catalog of them, all at once."""
        parts = [outcome.written for _, outcome in written if outcome.written is not None]
        verdicts = verify_all(self.engine, replace(job, tier=Tier.NEARLINE), parts) if parts else []
        self.mine.check()
        crashpoints.passing("backup.verified")
        moved = list[tuple[BackupTask, BackupOutcome]]()
        for (task, outcome), part, verdict in zip(written, parts, verdicts, strict=True):
            if verdict.reason is not None:
                self._fail(task, f"its copy, read again: {verdict.reason}")
                set_away(self.place.nearline, part.attempt, self.place.run)  # a repeated step would find it written
                continue
            put(self.place.nearline, part, self.place.run)
            moved.append((task, outcome))
        crashpoints.passing("backup.renamed")
        replaced = self.place.catalog.add_copies(self.mine.lease, [self._copy(outcome) for _, outcome in moved])
        crashpoints.passing("backup.committed")
        for task, outcome in moved:
            self._count(task, outcome)
        for path in replaced:
            set_away(self.place.nearline, path, self.place.run)
        self.lossy.batch(self.mine, job, [(task.part_id, task.study, task.check, task.path) for task, _ in moved])

    def _copy(self, outcome: BackupOutcome) -> NewCopy:
        if outcome.written is None:
            raise Missing("an outcome without a file")
        path, size = outcome.written.path, self.place.nearline.stat(outcome.written.path).size
        own = (Tier.NEARLINE, path, size, outcome.written.check, outcome.codec, outcome.form)
        return NewCopy(outcome.study, outcome.check, *own)

    def _fail(self, task: BackupTask, reason: str, *, source: bool = False) -> None:
        """Note it; set the part aside if it killed its worker, failed before, or has nothing that it could be made from."""
        self.sums["failed"] += 1
        (tries,) = self.place.catalog.note_failed_backups(self.mine.lease, [task.part_id], reason)
        if source:
            self.place.catalog.mark_copy(task.part_id, Tier.HDFS, "damaged")
        if source or tries >= MOST_TRIES or reason.startswith(KILLED):
            note = QuarantineNote(f"no backup of {task.path}: {reason}", b"", task.ordinal, BACKUP)
            self.place.catalog.open_quarantine(self.place.run, note, study=task.study, folder_id=None)
            self.sums["set_aside"] += 1

    def _count(self, task: BackupTask, outcome: BackupOutcome) -> None:
        """Sums alone: a first load has millions of images."""
        size = 0 if outcome.written is None else outcome.written.size
        self.sums.update(parts=1, bytes=task.size, written=size)
        self.sums.update(compressed=outcome.compressed, judged=outcome.judged)
        self.kept.update({each.reason: each.files for each in outcome.kept})
        self.regions.update(each.method for each in outcome.treated)

    def report(self) -> BackupReport:
        return BackupReport(
            parts=self.sums["parts"],
            bytes=self.sums["bytes"],
            written=self.sums["written"],
            compressed=self.sums["compressed"],
            judged=self.sums["judged"],
            kept=dict(self.kept.most_common()),
            regions=dict(self.regions),
            failed=self.sums["failed"],
            set_aside=self.sums["set_aside"],
            left=self.place.catalog.queue().parts,
            stopped=self.stopped,
            per_second=self.per_second,
            rate=self.rate,
            ran_by=self.engine.ran,
            lossy=self.lossy.report() if self.lossy.on else None,
        )


def _last(place: Place) -> dict[str, Any]:
    """The report of the last backup that ended well."""
    found = place.catalog.last_step(BACKUP, "done")
    return {} if found is None else found[1].report


def _task(row: Waiting) -> BackupTask:
    return BackupTask(row.part_id, row.study, row.ordinal, row.check, row.path, row.size)


def _codec(job: Job, task: BackupTask) -> str:
    return recipe_of(job.settings, task.modality).codec
