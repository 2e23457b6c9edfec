"""The catalog itself: its backup, and the way back."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from sdfo.cli.app import given
from sdfo.cli.progress import showing
from sdfo.cli.show import Answer, Table
from sdfo.cli.steps import Run
from sdfo.model import Tier


def add_commands(catalog: typer.Typer) -> None:
    for command in (backup, restore, compare):
        catalog.command()(command)


def backup(ctx: typer.Context, run: Run) -> Answer:
    """Back up the catalog: one private file on HDFS and near-line, read back and compared row by row."""
    from sdfo.nightly import figures
    from sdfo.nightly.catalog_backup import STEP, catalog_backup

    place = given(ctx).place(run)
    done = catalog_backup(place)
    where = "HDFS and near-line" if done.nearline else "HDFS alone: this archive has no near-line store"
    text = f"{done.path}: {done.rows} rows, {figures.size(done.bytes)}, on {where}; {done.removed} older ones removed"
    return Answer({"step": STEP, "run": place.run} | _fields(done), [text])


def restore(
    ctx: typer.Context,
    path: Annotated[
        str | None, typer.Argument(metavar="PATH", help="A backup's path in its store; the newest of all if not given.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Empty the catalog first; else one that holds anything is refused.")
    ] = False,
) -> Answer:
    """Bring a lost catalog back from its last backup and the state journal since.

    Exit 1 if a part published since is missing or cannot be read: the report names it.
    """
    from sdfo.catalog.dump import Dump
    from sdfo.catalog.restoring import restore as bring_back
    from sdfo.nightly.catalog_backup import chosen, prove

    place = given(ctx).place("catalog-restore")
    tier, store, name = chosen(place, path)
    prove(store, name)
    with store.open(name) as source:
        done = bring_back(place.catalog, Dump(source), place.store, replace=replace)
    text = [f"{done.backup} on {tier}, of {done.at}: {done.rows} rows; {done.lines} lines of the journal since"]
    text += [f"missing: {each}" for each in done.missing] + [f"refused: {each}" for each in done.refused]
    text.append("next: sdfo catalog compare, then sdfo scan --run ID: it lists the SAN, which no file tells of")
    return Answer({"tier": tier} | _fields(done), text, 1 if done.missing or done.refused else 0)


def compare(
    ctx: typer.Context,
    tier: Annotated[
        Tier | None, typer.Option(help="Of this tier alone: hdfs, nearline or tape. All that there are if not given.")
    ] = None,
    checks: Annotated[
        bool, typer.Option("--checks", help="Open each S-DICOM file and compare its check, too: hours for an archive.")
    ] = False,
    limit: Annotated[int, typer.Option(min=0, metavar="N", help="Differences to name at most; 0 names all.")] = 1000,
) -> Answer:
    """What the catalog says against what lies on HDFS, near-line and tape, both ways. Nothing is changed.

    Exit 1 when they differ: what is missing, what is unknown, what has another size or check.
    """
    from sdfo.nightly import figures
    from sdfo.nightly.compare import compare as compared
    from sdfo.nightly.compare import tiers

    place = given(ctx).place("catalog-compare")
    with showing("compare") as progress:
        found = compared(place, [tier] if tier else tiers(place), progress, checks=checks, most=limit or None)
    heads = ("tier", "what", "path", "expected", "found", "study")
    rows = [(r.tier, r.what, r.path, r.expected or "–", r.found or "–", r.study or "–") for r in found.rows]
    text: list[Any] = [Table(heads, rows), ""] if rows else []
    text += [
        f"{each.tier}: {figures.many(each.files, 'file')}, {each.expected} expected; {each.damaged} known to be damaged"
        for each in found.tiers
    ]
    text += [f"{what}: {number}" for what, number in found.differ.items()] or ["catalog and tiers agree"]
    return Answer(_fields(found) | {"equal": found.equal}, text, 0 if found.equal else 1)


def _fields(report: Any) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(report)
