"""Care of the archive: what was set aside, what is garbage, and the catalog itself."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sdfo.cli import show
from sdfo.cli.app import given
from sdfo.cli.catalog import add_commands
from sdfo.cli.show import Answer, Table

if TYPE_CHECKING:
    from sdfo.nightly.place import Place

PANEL = "Care"

Ids = Annotated[list[int], typer.Argument(metavar="ID...", help="As `sdfo quarantine` lists them.")]


def register(app: typer.Typer) -> None:
    quarantine = typer.Typer(invoke_without_command=True)
    quarantine.callback()(listed)
    quarantine.command()(accept)
    quarantine.command()(release)
    app.add_typer(quarantine, name="quarantine", rich_help_panel=PANEL)
    app.command(rich_help_panel=PANEL)(gc)
    catalog = typer.Typer(
        no_args_is_help=True,
        help="The catalog itself: create or upgrade it, back it up, bring it back, compare it with the files.",
    )
    catalog.command()(rebuild)
    catalog.command()(upgrade)
    add_commands(catalog)
    app.add_typer(catalog, name="catalog", rich_help_panel=PANEL)


def listed(
    ctx: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Decided entries too.")] = False,
) -> Answer | None:
    """What was set aside and waits for a person. With names of folders and files: they are often patients' names."""
    if ctx.invoked_subcommand is not None:
        return None
    rows = [_entry(row) for row in given(ctx).place("quarantine").catalog.quarantine(None if everything else "open")]
    heads = ("id", "opened", "run", "kind", "reason", "folder", "name", "study", "state")
    table = Table(heads, [[_cell(row[head]) for head in heads] for row in rows], frozenset({"id"}))
    after = "sdfo quarantine accept ID: the archived bytes are final. sdfo quarantine release ID: read the file again tonight."
    return Answer({"entries": rows}, [table, "", after] if rows else ["nothing is set aside"])


def accept(ctx: typer.Context, ids: Ids) -> Answer:
    """The archived bytes are final: nothing better will come."""
    return _decided(ctx, ids, "accepted")


def release(ctx: typer.Context, ids: Ids) -> Answer:
    """The file was mended on the SAN: the next scan reads it again."""
    return _decided(ctx, ids, "released")


def gc(
    ctx: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would go.")] = False,
) -> Answer:
    """Remove attempts of runs that are over, once they are a day old."""
    from sdfo.nightly import figures
    from sdfo.nightly.care.gc import gc as collect

    done = collect(given(ctx).place("gc"), dry_run=dry_run)
    would = "would be removed" if dry_run else "removed"
    return Answer(
        done, [f"{figures.many(done.removed, 'attempt')} {would}, {figures.size(done.bytes)}; {done.kept} kept"]
    )


def rebuild(
    ctx: typer.Context,
    replace: Annotated[
        bool, typer.Option("--replace", help="Empty the catalog first; else one that holds anything is refused.")
    ] = False,
    without_nearline: Annotated[
        bool, typer.Option("--without-nearline", help="The near-line store is lost: everything waits for a new copy.")
    ] = False,
    without_tape: Annotated[
        bool,
        typer.Option(
            "--without-tape", help="The tape staging area is lost: the journal tells of volumes, no manifest does."
        ),
    ] = False,
) -> Answer:
    """Build the catalog again from the S-DICOM files, the state journal beside them, and the manifests of tape volumes.

    Exit 1 if a file is missing or cannot be read: the report names it.
    """
    from sdfo.catalog.rebuild import rebuild as again
    from sdfo.nightly.care.elsewhere import Elsewhere
    from sdfo.nightly.tape.sealing import recorded

    place = given(ctx).place("rebuild")
    nearline = place.mounted_nearline if place.has_nearline and not without_nearline else None
    tape = place.has_tape and not without_tape
    lost = Elsewhere(place, nearline, tape=tape)
    done = again(place.catalog, place.store, nearline, recorded(place) if tape else (), elsewhere=lost, replace=replace)
    text = [
        f"{done.parts} parts, {done.lines} lines of the journal; {len(done.unknown)} parts the journal did not know"
    ]
    text += [f"missing: {path}" for path in done.missing] + [f"refused: {what}" for what in done.refused]
    text += [f"near-line: {done.nearline} copies"] if done.nearline else []
    text += [f"near-line copy lost, to be backed up again: {path}" for path in done.waiting]
    text += [f"volume that the journal did not know: {name}" for name in done.volumes]
    text += _recalled(place, lost.volumes)
    text.append("next: sdfo scan --run ID: it lists the SAN, which no file tells of")
    return Answer(done, text, 1 if done.missing or done.refused else 0)


def _recalled(place: Place, volumes: Collection[str]) -> list[str]:
    """Ask for the volumes that hold parts which lie nowhere else, and say so."""
    if not volumes:
        return []
    from sdfo.nightly.tape.recall import ask

    row = ask(place, "catalog rebuild", sorted(volumes))
    names = ", ".join(row.volumes)
    return [f"recall {row.id} asks for {names}: on tape alone. Once it is done: sdfo catalog rebuild --replace"]


def upgrade(ctx: typer.Context) -> Answer:
    """Create the catalog, or bring it to this program's version."""
    from sdfo.catalog.tables import HEAD

    given(ctx).place("upgrade").catalog.upgrade()
    return Answer({"version": HEAD}, [f"the catalog is at version {HEAD}"])


def _decided(ctx: typer.Context, ids: list[int], decision: str) -> Answer:
    catalog = given(ctx).place("quarantine").catalog
    for entry in ids:
        catalog.resolve_quarantine(entry, decision)
    return Answer({decision: ids}, [f"{decision}: {' '.join(map(str, ids))}"])


def _entry(row: Any) -> dict[str, Any]:
    facts = asdict(row)
    folder = None if row.folder is None else show.shown(row.folder)
    return facts | {"folder": folder, "name": show.shown(row.name) or None}


def _cell(value: Any) -> object:
    return show.moment(value) if hasattr(value, "astimezone") else "–" if value is None else value
