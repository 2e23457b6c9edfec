"""A night's report as text: the verdict, the ledger, what to do next, and where the page is. No name of the SAN is in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from sdfo.cli.show import Answer, Table
from sdfo.errors import SdfoError
from sdfo.model import Fate
from sdfo.nightly import figures
from sdfo.nightly.place import Place
from sdfo.nightly.summary import STEPS, NightReport, waits_for


def not_backed_up(place: Place) -> str | None:
    """Back up the catalog, as the DAG's task does; why it could not be, which takes nothing back of the night."""
    from sdfo.nightly.care.catalog_backup import catalog_backup

    try:
        catalog_backup(place)
    except SdfoError as error:
        return error.what
    return None


def told(place: Place, report: NightReport, exit_code: int, not_backed_up: str | None = None) -> Answer:
    page = f"{place.settings.hdfs.root}/{place.path('report.html')}"
    text = list(_text(report, page))
    if not_backed_up:
        text.append(f"\nThe catalog was not backed up: {not_backed_up}\n  sdfo catalog backup --run {place.run}")
    return Answer(_data(report) | {"page": page, "catalog_not_backed_up": not_backed_up}, text, exit_code)


def _data(report: NightReport) -> dict[str, Any]:
    """The report as in report.json, but for the names of folders and files, which stand there and on the page alone."""
    data = asdict(report)
    for file in data["files"]:
        del file["folder"], file["name"]
    return data


def _text(report: NightReport, page: str) -> Iterator[str | Table]:
    yield f"Night {report.run}: {_verdict(report)}"
    yield ""
    yield _ledger(report)
    yield f"inside these: {report.ledger.damaged} damaged, {report.ledger.alias} under another name already"
    yield ""
    yield Table(("step", "state", "took", "what it says"), [_step(report, name) for name in STEPS], frozenset({"took"}))
    yield ""
    yield f"{figures.many(len(report.exams), 'S-DICOM file')}, {figures.size(report.bytes)}, {figures.rate(report.rate)}"
    for tier in report.tiers:
        full = "" if tier.days is None else f", full {figures.until_full(tier.days)} at this pace"
        yield f"{tier.tier}: {figures.size(tier.free)} of {figures.size(tier.total)} free{full}"
    if report.backup is not None and report.backup.parts:
        waits = f"{figures.many(report.backup.parts, 'part')}, {figures.size(report.backup.bytes)}"
        yield f"near-line: {waits} wait for their copy, the oldest since {report.backup.oldest}"
    if report.tape is not None:
        yield f"tape: {report.tape}"
    if report.todo:
        yield "\nWhat a person must do next"
        for number, todo in enumerate(report.todo, 1):
            yield f"  {number}. {todo.what}\n     {todo.command}"
    yield f"\nThe page: {page}"


def _verdict(report: NightReport) -> str:
    cause = waits_for(report.steps)
    if cause is not None:
        return f"postponed: {cause}"
    return "not a good night" if not report.good else "good, and a person must look" if report.attention else "good"


def _ledger(report: NightReport) -> Table:
    counts = [(fate, report.ledger.lines.get(str(fate), 0)) for fate in Fate]
    rows: list[tuple[object, ...]] = [("", "seen on the SAN", report.ledger.seen)]
    rows += [("+" if number else "=", fate, count) for number, (fate, count) in enumerate(counts)]
    if not report.balanced:
        rows.append(("+", "IN NO LINE", report.missing))
    return Table(("", "ledger", "files"), rows, frozenset({"files"}))


def _step(report: NightReport, name: str) -> tuple[object, ...]:
    row = report.steps.get(name)
    if row is None:
        return name, "did not run", "–", ""
    said = dict(row.get("report") or {})
    took = figures.duration(said.pop("seconds", None))
    words = said.get("error") or " · ".join(
        f"{key.replace('_', ' ')} {figures.size(value) if key == 'bytes' else value}" for key, value in said.items()
    )
    return name, row["state"], took, words
