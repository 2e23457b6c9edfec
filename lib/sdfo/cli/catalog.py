"""The catalog itself: its backup, and the way back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from sdfo.cli.app import given
from sdfo.cli.progress import showing
from sdfo.cli.show import Answer, Table
from sdfo.cli.steps import Run
from sdfo.errors import UsageError
from sdfo.model import Tier

if TYPE_CHECKING:
    from sdfo.nightly.place import Place


def add_commands(catalog: typer.Typer) -> None:
    for command in (backup, restore, compare, export):
        catalog.command()(command)


def backup(ctx: typer.Context, run: Run) -> Answer:
    """Back up the catalog: one private file on HDFS and near-line, read back and compared row by row."""
    from sdfo.nightly import figures
    from sdfo.nightly.care.catalog_backup import STEP, catalog_backup

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
    """Bring a lost catalog back from its last backup that is whole and the state journal since.

    Exit 1 if a backup that was to be taken is damaged, or a part published since is missing or cannot be read: the report names it.
    """
    from sdfo.catalog.dump import Dump
    from sdfo.catalog.restoring import restore as bring_back
    from sdfo.nightly.care.catalog_backup import chosen

    place = given(ctx).place("catalog-restore")
    tier, store, name, damaged = chosen(place, path)
    with store.open(name) as source:
        done = bring_back(place.catalog, Dump(source), place.store, replace=replace)
    text = [f"passed over: {each}" for each in damaged]
    text += [f"{done.backup} on {tier}, of {done.at}: {done.rows} rows; {done.lines} lines of the journal since"]
    text += [f"missing: {each}" for each in done.missing] + [f"refused: {each}" for each in done.refused]
    text.append("next: sdfo catalog compare, then sdfo scan --run ID: it lists the SAN, which no file tells of")
    bad = damaged or done.missing or done.refused
    return Answer({"tier": tier, "damaged": damaged} | _fields(done), text, 1 if bad else 0)


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
    from sdfo.nightly.care.compare import compare as compared
    from sdfo.nightly.care.compare import tiers

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


def export(
    ctx: typer.Context,
    parquet: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A new folder: every table as a Parquet file, of one moment.")
    ] = None,
    inventory: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A new file: a DICOM Inventory object that points into the S-DICOM files."),
    ] = None,
    study: Annotated[str | None, typer.Option(metavar="UID", help="Inventory of this study alone.")] = None,
    dates: Annotated[
        str | None, typer.Option("--date", metavar="A-B", help="Inventory of the studies of these days.")
    ] = None,
) -> Answer:
    """The catalog for other programs: as Parquet, or as a DICOM Inventory (docs/inventory.md). With patients' names, for you alone.

    Beside the inventory lies FILE.unlisted.jsonl: what is archived and cannot be pointed to, and why. Exit 1 if an S-DICOM
    file could not be read.
    """
    if (parquet is None) == (inventory is None) or (parquet and (study or dates)):
        raise UsageError("give --parquet DIR, or --inventory FILE", next_command="sdfo catalog export --help")
    place = given(ctx).place("catalog-export")
    return _parquet(place, parquet) if parquet else _inventory(place, inventory or Path(), study, dates)


def _parquet(place: Place, folder: Path) -> Answer:
    from sdfo.catalog.dump import write_table
    from sdfo.catalog.tables import metadata

    try:
        folder.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        raise UsageError("the folder is there already", found=str(folder)) from None
    rows = {}
    with place.catalog.database.moment() as (conn, at):
        for table in metadata.sorted_tables:
            with _new_file(folder / f"{table.name}.parquet") as file:
                rows[table.name] = write_table(conn, table.name, file)
    return Answer({"at": at, "rows": rows}, [f"{name}: {count} rows" for name, count in rows.items()])


def _inventory(place: Place, path: Path, study: str | None, dates: str | None) -> Answer:
    import json

    from sdfo.catalog import Query
    from sdfo.cli.find import date_range
    from sdfo.dicom.inventory import Scope
    from sdfo.nightly.inventory import export as exported

    since, until = date_range(dates)
    days = "-".join("" if day is None else f"{day:%Y%m%d}" for day in (since, until)) if dates else ""
    beside = path.with_name(path.name + ".unlisted.jsonl")
    if path.exists() or beside.exists():
        raise UsageError("the file is there already", found=str(path if path.exists() else beside))
    with showing("export") as progress:
        found = exported(place, Query(study=study, since=since, until=until), Scope(days, study or ""), progress)
    with _new_file(path) as file, _new_file(beside) as others:
        file.write(found.data)
        others.writelines(json.dumps(_fields(row)).encode() + b"\n" for row in found.unlisted)
    report = found.report
    text = [f"{path}: {report.studies} studies, {report.images} images; {report.unlisted} not listed: {beside}"]
    text += (
        [] if report.complete else ["not complete: some S-DICOM files cannot be read (sdfo catalog compare --checks)"]
    )
    return Answer(_fields(report) | {"inventory": path, "others": beside}, text, 0 if report.complete else 1)


def _new_file(path: Path) -> BinaryIO:
    """Its owner's alone; never over another."""
    try:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")
    except OSError as error:
        raise UsageError("this file cannot be made", found=f"{path}: {error.strerror}") from error


def _fields(report: Any) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(report)
