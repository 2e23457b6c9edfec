"""What a worker of the backup is told, what it does over one exam, and what it says of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from zoneinfo import ZoneInfo

from sdfo import crashpoints
from sdfo.conf import Settings
from sdfo.errors import FormatError, Full, Missing, OutOfRange, SdfoError, Unavailable
from sdfo.model import Form, PartOutcome, Tier
from sdfo.nightly.hours import Hours
from sdfo.nightly.job import Halt, Job, spared
from sdfo.reader import SITE
from sdfo.sdicom import Part
from sdfo.transcoder import Recipe, Transcoded, Treated, transcode

ATTEMPTS = "attempts"
NEARLINE = "the near-line store"
THREADS = 2
"""Within one exam: the machine's other cores have exams of their own."""


@dataclass(frozen=True, slots=True)
class BackupTask:
    """A part to copy to near-line. `path` on HDFS; `size`: its bytes there, with those of the files beside it."""

    part_id: int
    study: str
    ordinal: int
    check: str
    path: str
    size: int
    modality: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """So many files were copied as they are, for this reason."""

    reason: str
    files: int


@dataclass(frozen=True, slots=True)
class BackupOutcome:
    """What became of a task. One that was not begun, because the end of the window was near, is `late`.

    `written`: the file on near-line, as an attempt. `reason`: why there is none; `source`: because the copy on HDFS is not
    whole. `halt`: because of nothing that this exam is to blame for. `treated`: the protected region of each frame.
    """

    study: str
    check: str
    codec: str = ""
    form: Form = Form.FILE
    written: PartOutcome | None = None
    compressed: int = 0
    judged: int = 0
    kept: tuple[Kept, ...] = ()
    treated: tuple[Treated, ...] = ()
    reason: str | None = None
    source: bool = False
    halt: Halt | None = None
    late: bool = False
    seconds: float = 0.0


def backup_exam(job: Job, task: BackupTask, threads: int = THREADS) -> BackupOutcome:
    """Write one part to near-line as an attempt, in a worker of an engine."""
    blank, began = BackupOutcome(task.study, task.check), time.monotonic()
    if is_late(job, task):
        return replace(blank, late=True)
    done = spared(partial(_written, job, task, threads), lambda why: replace(blank, reason=why))
    found = replace(blank, halt=done) if isinstance(done, Halt) else done
    return replace(found, seconds=time.monotonic() - began)


def is_late(job: Job, task: BackupTask) -> bool:
    """Whether the window would be over before the exam is backed up, by what a worker is known to manage.

    An exam that takes longer than the whole window would never be begun: it is if half of the window is left.
    """
    if job.until is None:
        return False
    seconds = task.size / job.per_second if job.per_second else 0.0
    return time.time() + min(seconds, hours(job.settings).seconds / 2) >= job.until


def hours(settings: Settings) -> Hours:
    """When the backup may be at work."""
    return Hours(settings.nearline.start, settings.nearline.end, ZoneInfo(settings.night.timezone))


def recipe_of(settings: Settings, modality: str) -> Recipe:
    """How parts that hold mostly images of this modality are written."""
    wanted = settings.nearline
    codec = wanted.codecs.get(modality, wanted.codec)
    return Recipe(codec, Form(wanted.form), wanted.judged, settings.region)


def _written(job: Job, task: BackupTask, threads: int) -> BackupOutcome:
    recipe, target = recipe_of(job.settings, task.modality), job.mounted_nearline()
    store = replace(job, tier=Tier.HDFS).store()
    crashpoints.passing("backup.begun", task.study)
    try:
        with Part.open(store, task.path) as part:
            if part.check_digest != task.check:
                return _not_whole(task, "another file lies at its name")
            done = transcode(part, target, f"{ATTEMPTS}/{job.run}", recipe, threads)
    except Missing as error:
        if _is_attempt(error):
            job.mounted_nearline()  # else it went away while we wrote
            raise
        store.stat(SITE)  # else it is the store that is not there
        return _not_whole(task, error.what)
    except (FormatError, OutOfRange) as error:
        if _is_attempt(error):
            raise
        return _not_whole(task, error.what)
    except (Full, Unavailable) as error:
        raise _told(error) from error
    crashpoints.passing("backup.written", task.study)
    return _outcome(task, recipe, done)


def _outcome(task: BackupTask, recipe: Recipe, done: Transcoded) -> BackupOutcome:
    written = PartOutcome(task.study, done.attempt, done.path, done.check, done.size, done.records, done.apart)
    return BackupOutcome(
        study=task.study,
        check=task.check,
        codec=recipe.codec,
        form=done.form,
        written=written,
        compressed=done.compressed,
        judged=done.judged,
        kept=tuple(Kept(reason, files) for reason, files in done.kept),
        treated=done.treated,
    )


def _not_whole(task: BackupTask, what: str) -> BackupOutcome:
    return BackupOutcome(task.study, task.check, reason=f"its copy on HDFS: {what}", source=True)


def _is_attempt(error: SdfoError) -> bool:
    return error.path is None or error.path.startswith(f"{ATTEMPTS}/")


def _told(error: Full | Unavailable) -> SdfoError:
    """The same, with the store that it is of."""
    if isinstance(error, Full):
        return Full("the near-line store is full", next_command="df, sdfo gc, more disks; then sdfo backup again")
    own = error.path is not None and _is_attempt(error)  # one without a path is of this machine's disk
    return Unavailable(f"{NEARLINE} does not answer: {error.what}") if own else error
