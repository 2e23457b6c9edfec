"""The catalog itself: its backup, and the way back."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from sdfo.cli.app import given
from sdfo.cli.show import Answer
from sdfo.cli.steps import Run


def add_commands(catalog: typer.Typer) -> None:
    for command in (backup, restore):
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


def _fields(report: Any) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(report)
