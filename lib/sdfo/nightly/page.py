"""The report's page: one HTML file that needs nothing else, for whoever is called at two in the morning.

The values are `NightReport`'s; nothing is looked up here. Everything is escaped: names on a SAN come from outside.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from sdfo.model import Fate
from sdfo.nightly import figures
from sdfo.nightly.summary import STEPS, NightReport, Steps, TierRow, undone, waits_for

MEANING = {
    Fate.ARCHIVED: "written into an S-DICOM file, re-read by another process, and in the catalog",
    Fate.ALREADY: "an earlier night archived it, and it has not changed since",
    Fate.SETTLING: "its exam may still be arriving; a later night takes it",
    Fate.WAITING: "its exam is older than backfill.days and was never archived; sdfo backfill takes it",
    Fate.CHANGED: "it changed or went away while it was read; the next night takes it",
    Fate.UNREADABLE: "it, or the folder it is in, could not be opened or read",
    Fate.IRREGULAR: "a link, socket or device: never followed, never archived",
    Fate.NO_EXAM: "it lies above the exam folders, or its folder holds no DICOM file at all: not archived",
    Fate.SET_ASIDE: "its exam could not be archived and waits for a person",
}
"""What each line of the ledger says of a file. docs/operations.md tells what to do about it."""

OPEN_ROWS = 50
"""Rows up to which a long table is shown unfolded."""
_FULL_SOON_DAYS = 30


@dataclass(frozen=True, slots=True)
class Step:
    """A row of the table of steps."""

    name: str
    state: str
    started: str
    took: str
    said: str
    bad: bool


@dataclass(frozen=True, slots=True)
class Room:
    """A row of the table of tiers. `used` in percent."""

    tier: str
    free: str
    total: str
    used: float
    days: str
    bad: bool


def html(report: NightReport) -> str:
    """The page, in UTF-8."""
    return _template().render(
        report=report,
        verdict=_verdict(report),
        lines=[(fate, report.ledger.lines.get(str(fate), 0), MEANING[fate]) for fate in Fate],
        sum=sum(report.ledger.lines.values()),
        steps=list(_steps(report.steps)),
        rooms=[_room(tier) for tier in report.tiers],
        kinds=sorted(Counter(file.kind if file.kind == "damaged" else file.fate for file in report.files).items()),
        open_rows=OPEN_ROWS,
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "size": figures.size,
        "rate": figures.rate,
        "duration": figures.duration,
        "count": figures.count,
        "many": figures.many,
        "shown": figures.printable,
    }
    return environment.get_template("page.html")


def _verdict(report: NightReport) -> tuple[str, str, str]:
    """CSS class, words, and the sentence below them."""
    if waits_for(report.steps) is not None:
        return "bad", "Postponed", " ".join(_reasons(report))
    if not report.good:
        return "bad", "Not a good night", " ".join(_reasons(report))
    all_well = f"All steps are done; each of {figures.many(report.ledger.seen, 'file')} is accounted for."
    if report.attention:
        return "look", "A good night, and a person must look", all_well
    return "good", "A good night", all_well + " There is nothing to do."


def _reasons(report: NightReport) -> Iterator[str]:
    cause = waits_for(report.steps)
    if cause is not None:
        yield f"Step {undone(report.steps)} was postponed: {figures.printable(cause)}."
    left = [step for step in STEPS if report.steps.get(step, {}).get("state") != "done"]
    if left:
        yield f"Step {left[0]} is not done." if len(left) == 1 else f"Steps {', '.join(left)} are not done."
    if report.missing:
        stand = "stands" if report.missing == 1 else "stand"
        yield f"{figures.many(report.missing, 'file')} {stand} in no line of the ledger."
    yield "The originals are still on the SAN."


def _steps(steps: Steps) -> Iterator[Step]:
    for name in (*STEPS, *sorted(set(steps) - set(STEPS))):
        row = steps.get(name)
        if row is None:
            yield Step(name, "did not run", "–", "–", "", bad=True)
            continue
        said = dict(row.get("report") or {})
        took = figures.duration(said.pop("seconds")) if "seconds" in said else "–"
        state = str(row.get("state", ""))
        yield Step(name, state, _moment(row.get("started")), took, _said(said), bad=state != "done")


def _said(report: Mapping[str, Any]) -> str:
    if "error" in report:
        return figures.printable(str(report["error"]))
    return " · ".join(f"{key.replace('_', ' ')} {_figure(key, value)}" for key, value in report.items())


def _figure(key: str, value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return figures.size(value) if key == "bytes" else figures.count(value)
    return figures.printable(str(value))


def _moment(value: Any) -> str:
    """`2026-11-24 20:00:03.123456+00:00` without its fraction and zone: the table's head says UTC."""
    return "–" if value in (None, "", "None") else str(value)[:19].replace("T", " ")


def _room(tier: TierRow) -> Room:
    used = 100 * (1 - tier.free / tier.total) if tier.total else 100.0
    soon = tier.days is not None and tier.days < _FULL_SOON_DAYS
    return Room(
        tier.tier,
        figures.size(tier.free),
        figures.size(tier.total),
        used,
        figures.until_full(tier.days),
        soon or used > 85,
    )
