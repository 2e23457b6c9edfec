"""The near-line copies: to make those that wait, and to bring back what was lost."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sdfo.cli.app import given
from sdfo.cli.progress import showing
from sdfo.cli.show import Answer, Table, moment
from sdfo.cli.steps import PANEL, Engine, Run, default_run
from sdfo.errors import LeaseHeld, UsageError

if TYPE_CHECKING:
    from sdfo.nightly.lossy import LossyReport
    from sdfo.nightly.place import Place

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]


def register(app: typer.Typer) -> None:
    app.command(rich_help_panel=PANEL)(backup)
    app.command(rich_help_panel="Care")(restore)
    app.command(rich_help_panel="Care")(derive)


def backup(
    ctx: typer.Context,
    run: Run,
    engine: Engine = None,
    any_time: Annotated[
        bool, typer.Option("--any-time", help="Now, whatever nearline.start and nearline.end say.")
    ] = False,
    dry_run: DryRun = False,
) -> Answer:
    """Copy to near-line the parts that wait for it, oldest first. Exit 75: it is not the time; 0 if nothing waits."""
    from sdfo.nightly import figures
    from sdfo.nightly.backup import backup as step
    from sdfo.nightly.engines import open_engine

    place = given(ctx).place(run)
    if dry_run:
        return _looked(place, any_time)
    settings = place.settings
    with closing(open_engine(engine or settings.engine, settings)) as opened, showing("backup") as progress:
        found = step(place, opened, progress, any_time=any_time)
    text: list[str | Table] = [
        f"backup: {figures.many(found.parts, 'part')}, {figures.size(found.bytes)} on HDFS, "
        f"{figures.size(found.written)} on near-line; {figures.many(found.left, 'part')} left"
    ]
    if found.failed:
        text.append(f"{found.failed} failed, {found.set_aside} of them set aside: sdfo quarantine")
    text += [f"{figures.many(files, 'file')} kept as they are: {why}" for why, files in found.kept.items()]
    text += [] if found.lossy is None else _lossy(found.lossy)
    text += [f"stopped: {found.stopped}"] if found.stopped else []
    return Answer({"step": "backup", "run": place.run} | asdict(found), text)


def _lossy(found: LossyReport) -> list[str | Table]:
    """What was derived, and how many images were not, by reason."""
    worst = "" if found.psnr_worst is None else f", background {found.psnr_worst:.1f} dB at worst"
    middle = "" if found.psnr_median is None else f", {found.psnr_median:.1f} dB at the median"
    rows = [(files, why) for why, files in found.refused.items()]
    rows += [(parts, f"(parts) {why}") for why, parts in found.failed.items()]
    table: list[str | Table] = [Table(("refused", "why"), rows, frozenset({"refused"}))] if rows else []
    return [f"lossy second objects: {found.derived} derived{worst}{middle}", *table]


def _looked(place: Place, any_time: bool) -> Answer:
    """What waits, and whether a backup could begin now: `Postponed` or another error if not."""
    from sdfo.catalog.waiting import BACKUP
    from sdfo.nightly import figures
    from sdfo.nightly.backup import require_time

    queue = place.catalog.queue()
    if queue.parts:
        if not any_time:
            require_time(place)
        holder = place.catalog.lease_holder(BACKUP)
        if holder is not None and holder.run != place.run:
            raise LeaseHeld(f"run {holder.run} is backing up", found=holder.run)
        _ = place.nearline  # it is mounted, and answers
    waits = f"{figures.many(queue.parts, 'part')}, {figures.size(queue.bytes)} wait"
    return Answer(asdict(queue), [f"{waits}, the oldest since {moment(queue.oldest)}; {queue.aside} set aside"])


def derive(
    ctx: typer.Context,
    uid: Annotated[str | None, typer.Argument(metavar="UID", help="Of a study, a series or an instance.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Of everything that has a near-line copy.")] = False,
    run: Annotated[str | None, typer.Option(metavar="ID", help="The run's id; made of the time if not given.")] = None,
    engine: Engine = None,
) -> Answer:
    """Make the lossy second objects of exams again, where the settings allow any. The backup makes them by itself."""
    from sdfo.nightly.engines import open_engine
    from sdfo.nightly.lossy import derive as step

    if (uid is None) is not every:
        raise UsageError("give a UID, or --all", next_command="sdfo derive --help")
    place = given(ctx).place(run or f"derive-{default_run(given(ctx).settings())}")
    with closing(open_engine(engine or place.settings.engine, place.settings)) as opened:
        found = step(place, opened, uid)
    return Answer({"step": "derive", "run": place.run} | asdict(found), _lossy(found), 1 if found.failed else 0)


def restore(
    ctx: typer.Context,
    uid: Annotated[str | None, typer.Argument(metavar="UID", help="Of a study, a series or an instance.")] = None,
    lost: Annotated[
        bool, typer.Option("--lost", help="All copies that are missing or known to be damaged, by listing.")
    ] = False,
    run: Annotated[str | None, typer.Option(metavar="ID", help="The run's id; made of the time if not given.")] = None,
    dry_run: DryRun = False,
    waits: Annotated[
        bool, typer.Option("--wait", help="Until the volumes are back that are asked for, and go on with them.")
    ] = False,
) -> Answer:
    """Read all copies of an exam and make again what is damaged or missing, from near-line, the SAN or else from tape.

    Exit 1: something cannot be made again; 75: a volume must come back from tape first.
    """
    from sdfo.nightly.care.restore import restore as step

    if (uid is None) is not lost:
        raise UsageError("give a UID, or --lost", next_command="sdfo restore --help")
    place = given(ctx).place(run or f"restore-{default_run(given(ctx).settings())}")
    with showing("restore") as progress:
        found = step(place, uid, progress, dry_run=dry_run, waits=waits)
    heads = ("study", "part", "tier", "path", "what", "now")
    rows = [(row.study, row.ordinal, row.tier, row.path, row.why, row.done) for row in found.rows]
    text: list[Any] = [Table(heads, rows, frozenset({"part"})), ""] if rows else []
    would = "would be restored" if dry_run else "restored"
    whole = [] if lost else [f"{found.whole} of {found.copies} copies whole"]
    made = [f"{found.restored} {would}", f"{found.queued} to be backed up again", f"{found.lost} lost"]
    made += [f"{found.recalled} recalled from tape"] if found.recalled else []
    text.append(", ".join(whole + made) if rows or not lost else "nothing is lost")
    text += [] if dry_run else _after(place, again=found.recalled > 0)
    return Answer(found, text, 1 if found.lost else 75 if found.recalled else 0)


def _after(place: Place, *, again: bool) -> list[str]:
    """What is still to be made by others, and the command."""
    from sdfo.nightly import figures

    waits = {work: place.catalog.queue(work).parts for work in ("nearline", "tape")}
    text = ["next, once sdfo recalls says done: sdfo restore --lost; or now, with --wait"] if again else []
    commands = (("nearline", "backup"), ("tape", "stage"))
    return text + [
        f"waiting for a copy on {work}: {figures.many(waits[work], 'part')}; next: sdfo {command} --run ID"
        for work, command in commands
        if waits[work]
    ]
