"""Step 2, convert: each exam folder of the scan becomes one S-DICOM file per study, as an attempt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sdfo import conf, crashpoints
from sdfo.model import ExamOutcome, ExamTask
from sdfo.nightly import fuses
from sdfo.nightly.batches import batches
from sdfo.nightly.engines import Engine, Progress, convert_all, silent
from sdfo.nightly.place import Place
from sdfo.nightly.scan import TASKS
from sdfo.nightly.turn import Turn, require, turn


@dataclass(frozen=True, slots=True)
class ConvertReport:
    exams: int = 0
    parts: int = 0
    files: int = 0
    bytes: int = 0

    def __add__(self, other: ConvertReport) -> ConvertReport:
        return ConvertReport(
            self.exams + other.exams,
            self.parts + other.parts,
            self.files + other.files,
            self.bytes + other.bytes,
        )


def convert(place: Place, engine: Engine, progress: Progress = silent) -> ConvertReport:
    """Run Map and Reduce over the run's exams, batch by batch; a batch that an earlier try finished is left out.

    `Fuse` when too many files fail alike.
    """
    with turn(place, "convert") as mine:
        require(place, "scan")
        tasks = place.read(TASKS, ExamTask, "scan")
        done = list[ExamOutcome]()
        for name, batch in _batches(place, tasks):
            if not place.has(_outcomes(name)):
                _one(place, engine, name, batch, mine, _shifted(progress, len(done), len(tasks)))
            done += place.read(_outcomes(name), ExamOutcome, "convert")
        fuses.alike(done, place.settings.limits)
        mine.report = sum(map(_report, done), ConvertReport())
    report: ConvertReport = mine.report
    return report


def _one(place: Place, engine: Engine, name: str, batch: list[ExamTask], mine: Turn, progress: Progress) -> None:
    found = convert_all(engine, place.job, batch, progress)
    mine.check()
    place.write(_outcomes(name), found, ExamOutcome)
    crashpoints.passing("convert.outcomes")


def outcomes(place: Place) -> list[ExamOutcome]:
    """What convert made of the run's exams; `Missing` unless it finished."""
    found = list[ExamOutcome]()
    for name, _ in _batches(place, place.read(TASKS, ExamTask, "scan")):
        found += place.read(_outcomes(name), ExamOutcome, "convert")
    return found


def outcomes_so_far(place: Place) -> list[ExamOutcome]:
    """The same, of the batches that are done."""
    names = [_outcomes(name) for name, _ in _batches(place, place.read(TASKS, ExamTask, "scan"))]
    return [row for name in names if place.has(name) for row in place.read(name, ExamOutcome, "convert")]


def _batches(place: Place, tasks: Sequence[ExamTask]) -> list[tuple[str, list[ExamTask]]]:
    return list(batches(tasks, place.settings.convert.batch_gib * conf.GIB))


def _outcomes(name: str) -> str:
    return f"outcomes/{name}.parquet"


def _shifted(progress: Progress, before: int, total: int) -> Progress:
    return lambda done, _, what: progress(before + done, total, what)


def _report(outcome: ExamOutcome) -> ConvertReport:
    return ConvertReport(1, len(outcome.parts), len(outcome.files), sum(p.size for p in outcome.parts))
