"""The first load: what is left of it, how long it may take, and the slices of one call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sdfo.cli.app import given
from sdfo.cli.progress import showing
from sdfo.cli.show import Answer, Table
from sdfo.cli.steps import PANEL, Engine

if TYPE_CHECKING:
    from sdfo.conf import Settings
    from sdfo.nightly.backfill import BackfillReport, Slice
    from sdfo.nightly.place import Place
    from sdfo.nightly.remaining import Left


def register(app: typer.Typer) -> None:
    app.command(rich_help_panel=PANEL)(backfill)


def backfill(
    ctx: typer.Context,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only what is left, and how long it may take; exit 0 at any hour.")
    ] = False,
    slices: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="At most so many slices; else until the hours are over.")
    ] = None,
    engine: Engine = None,
) -> Answer:
    """The first load of old exams (backfill.days), newest first, in slices, within its hours and after tonight's night.

    Exit 75: not now. Exit 1: a slice is not good, or the store has too little room.
    """
    from sdfo.nightly.backfill import backfill as load

    settings = given(ctx).settings()
    if dry_run:
        return _estimated(given(ctx).place("backfill"))
    with showing("backfill") as progress:
        found = load(settings, engine or settings.engine, progress, slices)
    data = asdict(found) | {"next": _next(found)}
    return Answer(data, list(_text(found, settings)), 1 if found.failed else 0)


def _estimated(place: Place) -> Answer:
    from sdfo.nightly.backfill import require
    from sdfo.nightly.remaining import left

    require(place)
    found = left(place)
    return Answer({"left": found}, list(_remaining(found, place.settings)))


def _next(found: BackfillReport) -> str | None:
    bad = next((each.next for each in found.slices if not each.good), None)
    return bad or ("sdfo status" if found.failed else None)


def _text(found: BackfillReport, settings: Settings) -> Iterator[str | Table]:
    from sdfo.nightly import figures

    if found.slices:
        heads = ("slice", "exams", "files", "size", "took", "verdict")
        yield Table(heads, list(map(_row, found.slices)), frozenset(heads[1:5]))
        files, size = sum(each.files for each in found.slices), sum(each.bytes for each in found.slices)
        took = sum(each.seconds for each in found.slices)
        yield f"\n{figures.many(files, 'file')} archived, {figures.size(size)} in {figures.duration(took)}"
    yield f"stopped: {found.stopped}"
    for each in {(slice.why, slice.next): slice for slice in found.slices if slice.why}.values():
        yield f"{each.run}: {each.why}\n  {each.next}\n  {each.page}"
    yield from _remaining(found.left, settings)


def _row(each: Slice) -> tuple[object, ...]:
    from sdfo.nightly import figures

    verdict = "not good" if not each.good else "good, and a person must look" if each.why else "good"
    return each.run, each.exams, each.files, figures.size(each.bytes), figures.duration(each.seconds), verdict


def _remaining(left: Left, settings: Settings) -> Iterator[str]:
    """What waits, and the estimate with what it rests on."""
    from sdfo.nightly import figures
    from sdfo.nightly.remaining import window

    if not left.exams:
        yield "left: nothing waits for the first load"
        return
    size = "unknown size" if left.bytes is None else ("" if left.counted else "about ") + figures.size(left.bytes)
    yield (
        f"left: {figures.many(left.exams, 'exam')}, {figures.many(left.files, 'file')}, {size}, "
        f"of {_day(left.newest)} back to {_day(left.oldest)}"
    )
    if left.seconds is None:
        yield "how long: unknown before the first slice"
        return
    windows = figures.many(left.windows or 0, "time", "times")
    yield (
        f"how long: {figures.duration(left.seconds)} of work at the {figures.rate(left.per_second)} of the last slices, "
        f"that is the hours {window(settings)} {windows}"
    )


def _day(at: Any) -> str:
    return "–" if at is None else f"{at.astimezone():%Y-%m-%d}"
