"""Reading copies again, and restoring a sample: what nobody tries does not work when it is needed."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sdfo.cli.app import given
from sdfo.cli.progress import showing
from sdfo.cli.show import Answer, Table
from sdfo.cli.steps import Run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sdfo.nightly.summary import Damage

PANEL = "Care"


def register(app: typer.Typer) -> None:
    for command in (scrub, drill):
        app.command(rich_help_panel=PANEL)(command)


def scrub(ctx: typer.Context, run: Run) -> Answer:
    """Read tonight's share of all copies again, oldest first; mend what is damaged. Exit 1: something cannot be mended."""
    from sdfo.nightly import figures
    from sdfo.nightly.care.scrub import scrub as step

    place = given(ctx).place(run)
    with showing("scrub") as progress:
        found = step(place, progress)
    text = [
        *_damage(found.rows),
        f"{figures.many(found.copies, 'copy', 'copies')} read, {figures.size(found.bytes)}: {found.damaged} damaged, "
        f"{found.repaired} made again, {found.queued} will be, {found.lost} lost",
        f"the oldest reading of a copy is {found.oldest:g} days old; {found.due} are due",
    ]
    return Answer({"step": "scrub", "run": place.run} | asdict(found), text, 1 if found.lost else 0)


def drill(
    ctx: typer.Context,
    run: Run,
    waits: Annotated[
        bool, typer.Option("--wait", help="Until the tape system has brought the volume that the lot fell on.")
    ] = False,
) -> Answer:
    """Restore a sample from near-line and tape to a scratch folder and compare. Exit 1: it is not green."""
    from sdfo.nightly import figures
    from sdfo.nightly.care.drill import drill as step

    place = given(ctx).place(run)
    with showing("drill") as progress:
        found = step(place, progress, waits=waits)
    text = [
        *_damage(found.rows),
        f"{'green' if found.green else 'red'}: {figures.many(found.nearline, 'part')} from near-line, {found.tape} from tape, "
        f"{figures.many(found.files, 'file')}, {figures.size(found.bytes)} as they were received; {found.failed} failed",
    ]
    text += [f"volume {found.asked} was asked for: sdfo recalls; then a drill again"] if found.asked else []
    return Answer({"step": "drill", "run": place.run} | asdict(found), text, 0 if found.green else 1)


def _damage(rows: Sequence[Damage]) -> list[Any]:
    heads = ("study", "part", "tier", "path", "what", "now")
    cells = [(row.study, row.ordinal, row.tier, row.path, row.why, row.done) for row in rows]
    return [Table(heads, cells, frozenset({"part"})), ""] if cells else []
