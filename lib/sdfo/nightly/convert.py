"""Step 2, convert: each exam folder of the scan becomes one S-DICOM file per study, as an attempt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sdfo import conf, crashpoints
from sdfo.errors import Missing
from sdfo.model import ExamOutcome, ExamTask, Fate
from sdfo.nightly import fuses
from sdfo.nightly.batches import batches
from sdfo.nightly.engines import Engine, Progress, convert_all, shifted, silent
from sdfo.nightly.job import Verdict, lies_at
from sdfo.nightly.place import Place
from sdfo.nightly.scan import TASKS
from sdfo.nightly.turn import Turn, turn

VERDICTS = "verified.parquet"
"""What verify, the next step, writes."""


@dataclass(frozen=True, slots=True)
class ConvertReport:
    exams: int = 0
    parts: int = 0
    files: int = 0
    bytes: int = 0
    ran_by: str = ""

    def __add__(self, other: ConvertReport) -> ConvertReport:
        return ConvertReport(
            self.exams + other.exams,
            self.parts + other.parts,
            self.files + other.files,
            self.bytes + other.bytes,
        )


def convert(place: Place, engine: Engine, progress: Progress = silent) -> ConvertReport:
    """Run Map and Reduce over the run's exams, batch by batch; an exam that an earlier try wrote is left out.

    `Fuse` when too many files fail alike.
    """
    with turn(place, "convert", after="scan") as mine:
        tasks = place.read(TASKS, ExamTask, "scan")
        done = list[ExamOutcome]()
        for name, batch in _batches(place, tasks):
            done += _one(place, engine, name, batch, mine, shifted(progress, len(done), len(tasks)))
        fuses.alike(done, place.settings.limits)
        mine.report = replace(sum(map(_report, done), ConvertReport()), ran_by=engine.ran)
    report: ConvertReport = mine.report
    return report


def _one(
    place: Place, engine: Engine, name: str, batch: list[ExamTask], mine: Turn, progress: Progress
) -> list[ExamOutcome]:
    earlier = place.read(_outcomes(name), ExamOutcome, "convert") if place.has(_outcomes(name)) else []
    verdicts = place.read(VERDICTS, Verdict, "verify") if earlier and place.has(VERDICTS) else []
    refused = {verdict.attempt for verdict in verdicts if not verdict.whole}
    found = {outcome.folder_id: outcome for outcome in earlier if _is_written(place, outcome, refused)}
    left = [task for task in batch if task.folder_id not in found]
    if left:
        found |= {outcome.folder_id: outcome for outcome in convert_all(engine, place.job, left, progress)}
        mine.check()
        place.write(_outcomes(name), [found[task.folder_id] for task in batch], ExamOutcome)
        crashpoints.passing("convert.outcomes")
    return [found[task.folder_id] for task in batch]


def _is_written(place: Place, outcome: ExamOutcome, refused: set[str]) -> bool:
    """Whether an exam came to its end and what was written of it is there and whole: it need not be converted again.

    Nor may it, once a part of it is published: what is left of it is the next scan's, which knows what is held already.
    """
    try:
        published = [lies_at(place.store, part) == part.path for part in outcome.parts]
    except Missing:
        return False
    ended = all(file.fate in (Fate.ARCHIVED, Fate.NO_EXAM) for file in outcome.files)
    return any(published) or (ended and refused.isdisjoint(part.attempt for part in outcome.parts))


def outcomes(place: Place) -> list[ExamOutcome]:
    """What convert made of the run's exams; `Missing` unless it finished."""
    found = list[ExamOutcome]()
    for name, _ in _batches(place, place.read(TASKS, ExamTask, "scan")):
        found += place.read(_outcomes(name), ExamOutcome, "convert")
    return found


def outcomes_so_far(place: Place) -> list[ExamOutcome]:
    """The same, of the batches that are done; nothing before the scan is."""
    tasks = place.read(TASKS, ExamTask, "scan") if place.has(TASKS) else []
    names = [_outcomes(name) for name, _ in _batches(place, tasks)]
    return [row for name in names if place.has(name) for row in place.read(name, ExamOutcome, "convert")]


def _batches(place: Place, tasks: Sequence[ExamTask]) -> list[tuple[str, list[ExamTask]]]:
    return list(batches(tasks, place.settings.convert.batch_gib * conf.GIB))


def _outcomes(name: str) -> str:
    return f"outcomes/{name}.parquet"


def _report(outcome: ExamOutcome) -> ConvertReport:
    return ConvertReport(1, len(outcome.parts), len(outcome.files), sum(p.size for p in outcome.parts))
