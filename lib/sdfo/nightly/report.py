"""The last step, report: one page and one JSON file per run, from the manifests of the steps that got to write one.

It runs whatever happened before. A night is good when every step is done and the ledger balances; only then does
`last_good_night` move.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sdfo import crashpoints
from sdfo.catalog import Queue
from sdfo.errors import Missing
from sdfo.model import ExamOutcome, Fate, Kind, Tier
from sdfo.nightly import ledger, page, todo
from sdfo.nightly.care import standing
from sdfo.nightly.convert import outcomes_so_far
from sdfo.nightly.ledger import Settled
from sdfo.nightly.place import GOOD_NIGHT, Place, is_slice
from sdfo.nightly.publish import PUBLISHED, PublishedPart
from sdfo.nightly.scan import SEEN, Seen
from sdfo.nightly.summary import STEPS, BackupRow, Done, ExamRow, FileRow, NightReport, TierRow
from sdfo.nightly.tape import awaited
from sdfo.nightly.turn import turn

T = TypeVar("T")

SLOWEST = 10
UNSETTLED_DAYS = 3
"""Days after which an exam folder that still changes is shown to a person: nothing of it is archived meanwhile."""
PACE_NIGHTS = 30
"""Nights whose archived bytes give the pace at which a tier fills."""


def report(place: Place) -> NightReport:
    """Write `report.json` and `report.html` of the run, private to the archive's user, and move `last_good_night`."""
    with turn(place, "report") as mine:
        found = _gathered(place)
        mine.check()
        place.store.replace(place.path("report.json"), json.dumps(asdict(found), indent=1).encode())
        place.store.replace(place.path("report.html"), page.html(found).encode())
        crashpoints.passing("report.written")
        night = found.good and not is_slice(place.run)  # else a first load would hide that the nights have stopped
        if night:
            place.store.replace(GOOD_NIGHT, f"{found.written} {place.run}\n".encode())
        mine.report = Done(night, found.ledger.seen, found.missing, len(found.todo))
    place.catalog.release(mine.lease)
    return found


def _gathered(place: Place) -> NightReport:
    steps = {name: asdict(row) for name, row in place.catalog.steps(place.run).items() if name in STEPS}
    seen = _or_nothing(place, SEEN, Seen)
    exams = {outcome.folder_id: outcome for outcome in (outcomes_so_far(place) if seen else ())}
    published = _published(place) if _done(steps, "publish") else None
    whole = ledger.total(ledger.of_folder(row, exams.get(row.folder_id), published) for row in seen)
    rows = tuple(row for outcome in exams.values() for row in _exam_rows(outcome, published))
    size = sum(row.bytes for row in rows)
    unsettled = [row for row in seen if row.settling and _never_settles(place, row)]
    seconds = sum(_seconds(steps, step) for step in ("convert", "verify"))
    return NightReport(
        run=place.run,
        written=datetime.now(UTC).isoformat(timespec="seconds"),
        good=all(_done(steps, step) for step in STEPS) and whole.balanced,
        steps={
            name: {**row, "started": str(row["started"]), "ended": str(row["ended"])} for name, row in steps.items()
        },
        ledger=whole,
        balanced=whole.balanced,
        missing=whole.missing,
        bytes=size,
        rate=size / seconds if seconds else None,
        exams=rows,
        slowest=tuple(sorted(rows, key=lambda row: -row.seconds)[:SLOWEST]),
        files=(*_file_rows(seen, exams.values(), published), *map(_unsettled_row, unsettled)),
        tiers=(_tier(place),),
        backup=_backup(place.catalog.queue()),
        tape=str(awaited.awaited(place)) if place.has_tape else None,
        care=standing.rows(place),
        damage=standing.damage(place),
        todo=(*todo.of_run(place, steps, whole, len(unsettled)), *awaited.todo(place), *standing.todo(place)),
    )


def _or_nothing(place: Place, name: str, kind: type[T]) -> list[T]:
    """A manifest, or nothing where its step did not finish."""
    try:
        return place.read(name, kind, "scan")
    except Missing:
        return []


def _published(place: Place) -> Settled:
    return {(part.folder_id, part.study): part for part in _or_nothing(place, PUBLISHED, PublishedPart)}


def _done(steps: Mapping[str, Mapping[str, Any]], step: str) -> bool:
    return step in steps and steps[step]["state"] == "done"


def _seconds(steps: Mapping[str, Mapping[str, Any]], step: str) -> float:
    return float(steps[step]["report"].get("seconds", 0)) if _done(steps, step) else 0.0


def _exam_rows(outcome: ExamOutcome, published: Settled | None) -> Iterator[ExamRow]:
    for part in outcome.parts:
        answer = (published or {}).get((outcome.folder_id, part.study))
        yield ExamRow(
            folder_id=outcome.folder_id,
            study=part.study,
            state=answer.state if answer else "not published",
            records=part.records + len(part.apart),
            bytes=part.size,
            seconds=round(outcome.seconds, 3),
            path=part.path,
            flag=(answer.reason if answer else None) or part.flag,
        )


def _file_rows(seen: Iterable[Seen], exams: Iterable[ExamOutcome], published: Settled | None) -> Iterator[FileRow]:
    """Every file that is damaged, or that a person would look for in the archive and not find there."""
    for row in seen:
        yield from _found_rows(row, row.links, Fate.IRREGULAR, "a link that leads out of the SAN")
        yield from _found_rows(row, row.closed, Fate.UNREADABLE, "a folder that cannot be listed")
        yield from _found_rows(row, row.strays, Fate.NO_EXAM, "lies outside every exam folder")
    for outcome in exams:
        for file in outcome.files:
            judged = ledger.judge(file, outcome.folder_id, published)
            if judged is not None and (judged.fate is not Fate.ARCHIVED or judged.kind is Kind.DAMAGED):
                yield FileRow(
                    outcome.folder_id,
                    _shown(outcome.folder),
                    _shown(file.stamp.name),
                    judged.fate,
                    judged.kind,
                    judged.reason,
                )


def _never_settles(place: Place, row: Seen) -> bool:
    since = datetime.now(UTC) - timedelta(days=UNSETTLED_DAYS)
    new = (file for file in place.catalog.files(row.folder_id).values() if file.state == "new")
    return any(file.first_seen is not None and file.first_seen < since for file in new)


def _unsettled_row(row: Seen) -> FileRow:
    why = f"{row.settling} of its files are not archived: it has been changing for more than {UNSETTLED_DAYS} days"
    return FileRow(row.folder_id, _shown(row.folder), "", Fate.SETTLING, None, why)


def _found_rows(row: Seen, names: Iterable[bytes], fate: Fate, why: str) -> Iterator[FileRow]:
    return (FileRow(row.folder_id, _shown(row.folder), _shown(name), fate, None, why) for name in names)


def _shown(name: bytes) -> str:
    """A name on the page: bytes that are no UTF-8 as `\\xNN`."""
    return name.decode("utf-8", "backslashreplace")


def _backup(queue: Queue) -> BackupRow:
    oldest = None if queue.oldest is None else queue.oldest.isoformat(timespec="seconds")
    return BackupRow(queue.parts, queue.bytes, oldest, queue.aside)


def _tier(place: Place) -> TierRow:
    """Room in the store, and days until it is full at the pace of the last nights, and of slices between them."""
    free, total = place.store.free()
    nights = place.catalog.runs(PACE_NIGHTS)
    converted = (place.catalog.steps(night.run).get("convert") for night in nights)
    written = sum(int(step.report.get("bytes", 0)) for step in converted if step)
    days = (datetime.now(UTC) - nights[-1].started) / timedelta(days=1) if nights else 1
    pace = written / max(days, 1)
    return TierRow(Tier.HDFS, free, total, round(free / pace, 1) if pace else None)
