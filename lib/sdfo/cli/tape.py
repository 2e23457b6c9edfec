"""Tape: parts that wait become volumes, what the tape system did is looked up, and what is on tape comes back."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sdfo.cli.app import given
from sdfo.cli.progress import showing
from sdfo.cli.show import Answer, Table, moment, note
from sdfo.cli.steps import PANEL, Run
from sdfo.errors import UsageError

if TYPE_CHECKING:
    from sdfo.catalog import Catalog, RecallRow, VolumeRow
    from sdfo.nightly.place import Place
    from sdfo.nightly.tape.stage import StageReport

Volume = Annotated[str, typer.Argument(metavar="VOLUME", help="As `sdfo tape ls` lists them.")]


def register(app: typer.Typer) -> None:
    app.command(rich_help_panel=PANEL)(stage)
    tape = typer.Typer(
        no_args_is_help=True, help="Tape volumes: which there are, what is on one; a library to try it with."
    )
    tape.command()(ls)
    tape.command()(show)
    tape.command()(lost)
    tape.command()(simulate)
    app.add_typer(tape, name="tape", rich_help_panel="Care")
    for command in (recall, recalls):
        app.command(rich_help_panel="Images")(command)


def stage(
    ctx: typer.Context,
    run: Run,
    now: Annotated[
        bool, typer.Option("--now", help="Seal what waits, however little it is and however short it has waited.")
    ] = False,
) -> Answer:
    """Take receipts and volumes that came back; make volumes of what waits for tape. Exit 75: the staging area is full."""
    from sdfo.nightly.tape.stage import stage as step

    place = given(ctx).place(run)
    with showing("stage") as progress:
        found = step(place, progress, now=now)
    return Answer({"step": "stage", "run": place.run} | asdict(found), _staged(found, place.settings.tape.report_at))


def _staged(found: StageReport, report_at: float) -> list[str]:
    from sdfo.nightly import figures

    waits = f"{figures.many(found.left, 'part')}, {figures.size(found.left_bytes)} wait for the next"
    text = [
        f"stage: {figures.many(found.volumes, 'volume')} sealed, {figures.many(found.parts, 'part')}, "
        f"{figures.size(found.bytes)}; {waits}",
        f"receipts: {found.receipts} taken, {found.refused} refused; {figures.many(found.returned, 'volume')} came back, "
        f"{figures.many(found.recalls, 'recall')} ended",
    ]
    text += [f"{found.failed} failed, {found.set_aside} of them set aside: sdfo quarantine"] if found.failed else []
    text += [f"made room: {figures.size(found.removed)}"] if found.removed else []
    text += [f"the staging area is {found.share:.0%} full"] if found.share >= report_at else []
    return text + ([f"stopped: {found.stopped}"] if found.stopped else [])


def ls(ctx: typer.Context) -> Answer:
    """All volumes, oldest first: how each stands, where on tape it is, and whether it lies in the staging area."""
    place = given(ctx).place("tape")
    rows = [_facts(place, row) for row in place.catalog.volumes()]
    heads = ("volume", "state", "files", "bytes", "created", "barcode", "position", "here")
    cells = [
        (
            r["name"],
            r["state"],
            r["files"],
            r["size"],
            moment(r["created"]),
            r["barcode"],
            r["position"],
            r["here"] or "–",
        )
        for r in rows
    ]
    return Answer(
        {"volumes": rows}, [Table(heads, cells, frozenset({"files", "bytes"}))] if rows else ["no volume yet"]
    )


def show(ctx: typer.Context, volume: Volume) -> Answer:
    """A volume, and every part on it."""
    place = given(ctx).place("tape")
    facts = _facts(place, place.catalog.volume(volume))
    rows = [
        {"study": part.study, "part": part.ordinal, "path": copy.path.partition("/")[2], "bytes": copy.size}
        | {"state": copy.state, "codec": copy.codec, "verified_at": copy.verified_at}
        for part, copy in place.catalog.on_volume(volume)
    ]
    heads = ("study", "part", "state", "bytes", "path")
    lines = [f"{name}: {moment(value) if hasattr(value, 'astimezone') else value}" for name, value in facts.items()]
    table = Table(heads, [[row[head] for head in heads] for row in rows], frozenset({"part", "bytes"}))
    return Answer(facts | {"parts": rows}, [*lines, "", table])


def lost(
    ctx: typer.Context,
    volume: Annotated[str | None, typer.Argument(metavar="VOLUME", help="As `sdfo tape ls` lists them.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every volume there is: the tapes are destroyed.")] = False,
) -> Answer:
    """A tape is gone or cannot be read: what was on it waits for another volume."""
    from sdfo.catalog.volumes import DAMAGED
    from sdfo.nightly import figures

    if (volume is None) is not every:
        raise UsageError("give a VOLUME, or --all", next_command="sdfo tape ls")
    catalog = given(ctx).place("tape").catalog
    rows = [catalog.volume(volume)] if volume else [row for row in catalog.volumes() if row.state != DAMAGED]
    parts = sum(_given_up(catalog, row) for row in rows)
    name = f"volume {volume} is" if volume else f"{figures.many(len(rows), 'volume')} are"
    text = f"{name} given up: {figures.many(parts, 'part')} wait for another one"
    return Answer({"volume": volume, "volumes": len(rows), "parts": parts}, [text])


def _given_up(catalog: Catalog, row: VolumeRow) -> int:
    """How many parts waited for no other until now."""
    from dataclasses import replace

    from sdfo.catalog.volumes import DAMAGED

    before = [copy for _, copy in catalog.on_volume(row.name) if copy.state not in ("damaged", "retired")]
    catalog.keep_volume(replace(row, state=DAMAGED), f"volume {row.name} was given up")
    return len(before)


def simulate(
    ctx: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="One round, instead of rounds until it is interrupted.")] = False,
    delay: Annotated[float, typer.Option(min=0, metavar="S", help="Seconds until a request is served.")] = 0,
    every: Annotated[float, typer.Option(min=0.1, metavar="S", help="Seconds between two rounds.")] = 5,
    digests: Annotated[
        bool, typer.Option("--digests/--no-digests", help="Whether receipts have a SHA-256 that was read back.")
    ] = True,
    shelf: Annotated[
        str | None, typer.Option(metavar="DIR", help="Where its tapes lie; beside the staging area if not given.")
    ] = None,
) -> Answer:
    """Play the tape library, for tests and to try it out: its tapes are files in a folder. Never on a real archive."""
    from sdfo.stores import open_store
    from sdfo.tiers.tape.simulate import Library

    place = given(ctx).place("simulate")
    where = f"{place.settings.tape.root}-library" if shelf is None else Path(shelf).absolute().as_uri()
    library = Library(place.tape, open_store(where, place.settings.hdfs), delay, digests)
    while True:
        found = library.once()
        text = f"library: {found.written} volumes written to tape, {found.served} brought back, {found.refused} refused"
        if once:
            return Answer(asdict(found) | {"shelf": where}, [text])
        if found.written or found.served or found.refused:
            note(text)
        time.sleep(every)


def recall(
    ctx: typer.Context,
    uid: Annotated[str, typer.Argument(metavar="UID", help="Of a study, a series or an instance.")],
) -> Answer:
    """Ask the tape system for all of this that is on tape. It stays in the staging area for `tape.pin_hours`."""
    from sdfo.nightly.tape.recall import recall as step

    row = step(given(ctx).place("recall"), uid)
    return Answer(_recall(row), [told(row)])


def recalls(
    ctx: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="All there ever were, not the last hundred.")] = False,
) -> Answer:
    """Recalls, newest first: how each stands, when it is expected, and until when its volumes stay."""
    from sdfo.nightly.tape.receiving import attend

    place = given(ctx).place("recall")
    attend(place)
    rows = place.catalog.recalls(most=None if everything else 100)
    heads = ("id", "state", "asked", "expected", "ended", "stays until", "volumes", "uid", "reason")
    times = ("asked", "expected", "ended", "pinned")
    cells = [
        (r.id, r.state, *(moment(getattr(r, time)) for time in times), len(r.volumes), r.uid, r.reason or "")
        for r in rows
    ]
    return Answer({"recalls": [_recall(row) for row in rows]}, [Table(heads, cells, frozenset({"id", "volumes"}))])


def told(row: RecallRow) -> str:
    """A recall in a sentence."""
    from sdfo.nightly import figures

    if row.state == "done":
        return f"recall {row.id}: it is here, until {moment(row.pinned)}"
    if row.state == "failed":
        return f"recall {row.id} failed: {row.reason}"
    when = "no time is known yet" if row.expected is None else f"expected by {moment(row.expected)}"
    return f"recall {row.id}: {figures.many(len(row.volumes), 'volume')} asked for, {when}"


def _recall(row: RecallRow) -> dict[str, Any]:
    return asdict(row)


def _facts(place: Place, row: VolumeRow) -> dict[str, Any]:
    """With the folder in which it lies now, if it does."""
    from sdfo.tiers.tape.reading import whereabouts

    at = whereabouts(place.tape, row.name)
    return asdict(row) | {"here": None if at is None else at.rpartition("/")[0]}
