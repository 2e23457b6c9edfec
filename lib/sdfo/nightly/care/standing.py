"""How the care of the copies stands, for the night's page and the list of what a person must do: the last scrub, drill and
expiry, what damage they found, and whether the delete gate is shut."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sdfo.catalog.freeing import SHUT
from sdfo.model import Tier
from sdfo.nightly import figures
from sdfo.nightly.freeing.expire import EXPIRE
from sdfo.nightly.freeing.facts import CATALOG_BACKUP, DRILL
from sdfo.nightly.freeing.retire import step_of
from sdfo.nightly.place import Place
from sdfo.nightly.summary import CareRow, Damage, Todo

Said = Mapping[str, Any]


def rows(place: Place) -> tuple[CareRow, ...]:
    """Of each step the last time that it ended; nothing of one that never did."""
    found = ((step, place.catalog.last_ended(step)) for step in _SAID)
    return tuple(
        CareRow(
            step, row.state, str(row.ended)[:16], _said(step, row.state, row.report), _is_bad(row.state, row.report)
        )
        for step, row in found
        if row is not None
    )


def damage(place: Place) -> tuple[Damage, ...]:
    """What the last scrub and the last drill found, and what became of it."""
    ended = (place.catalog.last_ended(step) for step in ("scrub", DRILL))
    return tuple(Damage(**row) for step in ended if step is not None for row in step.report.get("rows", ()))


def todo(place: Place) -> Iterator[Todo]:
    """What is not as it should be, each with the command to type."""
    run = place.run
    if SHUT in place.catalog.gate_marks():
        yield Todo(
            "the catalog was rebuilt: nothing is removed until somebody has compared the holds", "sdfo expire --reopen"
        )
    for step in _SAID:
        row = place.catalog.last_ended(step)
        if row is not None and row.state == "failed":
            yield Todo(f"the last {step} failed: {row.report.get('error', '')}", f"sdfo {command(step)} --run {run}")
    backup = place.catalog.last_ended(CATALOG_BACKUP)
    if backup is not None and backup.state == "failed":
        yield Todo(
            f"the catalog was not backed up: {backup.report.get('error', '')}", f"sdfo catalog backup --run {run}"
        )
    drill, scrub = place.catalog.last_ended(DRILL), place.catalog.last_ended("scrub")
    if drill is not None and drill.state == "done" and not drill.report.get("green"):
        yield Todo(f"the last drill was red: {_drill(drill.report)}", f"sdfo drill --run {run} --wait")
    if scrub is not None and scrub.report.get("recalled"):
        many = figures.many(scrub.report["recalled"], "damaged copy", "damaged copies")
        yield Todo(f"{many} can be made again out of volumes that were asked for", "sdfo restore --lost --wait")
    if scrub is not None and scrub.report.get("lost"):
        yield Todo(f"{scrub.report['lost']} damaged copies cannot be made again", "sdfo restore --lost --dry-run")


def command(step: str) -> str:
    """The words that do a step again: `expire-hdfs` is `sdfo expire --tier hdfs`."""
    name, _, tier = step.partition("-")
    return f"{name} --tier {tier}" if tier else name


def _is_bad(state: str, said: Said) -> bool:
    return state != "done" or bool(said.get("lost")) or said.get("green") is False


def _said(step: str, state: str, said: Said) -> str:
    return _SAID[step](said) if state == "done" else str(said.get("error", ""))


def _scrub(said: Said) -> str:
    read = f"{figures.many(said['copies'], 'copy', 'copies')} read, {figures.size(said['bytes'])}"
    mended = f"{said['repaired']} made again, {said['queued']} will be, {said.get('recalled', 0)} recalled, {said['lost']} lost"
    return f"{read}: {said['damaged']} damaged, {mended}"


def _drill(said: Said) -> str:
    came = f"{figures.many(said.get('nearline', 0), 'part')} came back from near-line, {said.get('tape', 0)} from tape"
    asked = f"; volume {said['asked']} did not come" if said.get("asked") else ""
    return f"{came}, {said.get('failed', 0)} failed{asked}"


def _expire(said: Said) -> str:
    what = "file" if said["tier"] == Tier.SAN else "part"
    gone = f"{figures.many(said['files'], what)}, {figures.size(said['bytes'])} went"
    return (
        f"{gone}; {said['removed']} removed for good, {said['grace']} in their days of grace, {said['back']} put back"
    )


_SAID: dict[str, Callable[[Said], str]] = {
    "scrub": _scrub,
    DRILL: _drill,
    EXPIRE: _expire,
    step_of(Tier.HDFS): _expire,
    step_of(Tier.NEARLINE): _expire,
}
"""By the step's name in the catalog."""
