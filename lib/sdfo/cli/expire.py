"""Removing copies: what may go, what stops the rest, and opening the gate again."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from sdfo.cli.app import given
from sdfo.cli.progress import showing
from sdfo.cli.show import Answer, Table
from sdfo.cli.steps import PANEL
from sdfo.errors import UsageError

if TYPE_CHECKING:
    from sdfo.nightly.freeing.expire import ExpireReport
    from sdfo.nightly.place import Place

SHOWN = 50
"""Exams in the table; `--json` and the run's log have all."""


def register(app: typer.Typer) -> None:
    app.command(rich_help_panel=PANEL)(expire)


def expire(
    ctx: typer.Context,
    run: Annotated[str | None, typer.Option(metavar="ID", help="The run's id; any text.")] = None,
    tier: Annotated[Literal["san", "hdfs", "nearline"], typer.Option(help="Where copies are to go.")] = "san",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would go, and what stops the rest.")
    ] = False,
    scheduled: Annotated[
        bool, typer.Option("--scheduled", help="A dry run unless the setting expire.unattended is true.")
    ] = False,
    reopen: Annotated[
        bool, typer.Option("--reopen", help="Open the gate after a rebuild of the catalog, or when the clock was set.")
    ] = False,
) -> Answer:
    """Remove copies that are old and proven safe elsewhere: every line of the gate true, or they stay."""
    from sdfo.model import Tier
    from sdfo.nightly.freeing.expire import expire as step
    from sdfo.nightly.freeing.retire import retire

    if reopen:
        return _reopened(given(ctx).place("reopen"))
    if run is None:
        raise UsageError("a run needs an id: --run ID", next_command="sdfo expire --help")
    place = given(ctx).place(run)
    dry_run = dry_run or (scheduled and not place.settings.expire.unattended)
    with showing("expire") as progress:
        if tier == "san":
            found = step(place, progress, dry_run=dry_run)
        else:
            found = retire(place, Tier(tier), progress, dry_run=dry_run)
    return Answer({"step": "expire", "run": place.run} | asdict(found), _text(found))


def _text(found: ExpireReport) -> list[Any]:
    from sdfo.nightly import figures

    text: list[Any] = []
    if found.exams:
        rows = [(each.study, each.folder_id, each.files, figures.size(each.bytes)) for each in found.exams[:SHOWN]]
        text += [Table(("study", "folder", "files", "size"), rows, frozenset({"folder", "files", "size"})), ""]
        text += [f"… and {len(found.exams) - SHOWN} more"] if len(found.exams) > SHOWN else []
    if found.stopped:
        lines = [(name, count, found.alone.get(name, 0)) for name, count in found.stopped.items()]
        text += [Table(("line of the gate", "stops", "alone"), lines, frozenset({"stops", "alone"})), ""]
    text += [f"{files} kept though their days of grace are over: {line}" for line, files in found.kept.items()]
    text += [f"{figures.many(files, 'file')} failed: {why}" for why, files in found.failed.items()]
    what = figures.many(found.files, "file" if found.tier == "san" else "part")
    would = "would go from" if found.dry_run else "went from"
    text.append(f"{what}, {figures.size(found.bytes)} {would} {found.tier}; {found.left} left for the next run")
    text.append(
        f"{found.removed} removed for good, {figures.size(found.removed_bytes)}; "
        f"{found.grace} in their days of grace, {figures.size(found.grace_bytes)}; {found.back} put back, for they had changed"
    )
    return text


def _reopened(place: Place) -> Answer:
    from sdfo.nightly.freeing.clock import OURS
    from sdfo.nightly.freeing.reopening import reopen

    found = reopen(place, OURS)
    text = ["the gate is open again: holds now in force: " + (_ids(each.id for each in found.after) or "none")]
    if found.before is not None:
        before = _ids(each["id"] for each in found.before) or "none that the catalog still knew"
        text.insert(0, f"holds before the catalog was rebuilt: {before}")
        lost = {each["id"] for each in found.before} - {each.id for each in found.after}
        text += [f"hold {number} is not there any more: sdfo hold" for number in sorted(lost)]
    return Answer(found, [*text, "sdfo hold lists them; compare before the next run removes anything"])


def _ids(numbers: Any) -> str:
    return ", ".join(map(str, numbers))
