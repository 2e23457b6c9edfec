"""The night and its steps."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal
from zoneinfo import ZoneInfo

import typer

from sdfo.cli.app import Given, given
from sdfo.cli.progress import showing
from sdfo.cli.show import Answer
from sdfo.errors import NotFound, UsageError
from sdfo.model import Tier

if TYPE_CHECKING:
    from sdfo.conf import Settings
    from sdfo.nightly.place import Place

PANEL = "The night"

Run = Annotated[str, typer.Option(metavar="ID", help="The run's id; any text. The same for all steps of one night.")]
Engine = Annotated[
    Literal["local", "spark", "mrjob"] | None,
    typer.Option(help="What runs Map and Reduce; the setting `engine` if not given."),
]


def register(app: typer.Typer) -> None:
    for command in (init, night, scan, convert, verify, publish, report):
        app.command(rich_help_panel=PANEL)(command)


def init(
    ctx: typer.Context,
    new: Annotated[
        list[Tier] | None,
        typer.Option(help="nearline or tape: the one before is lost, and what lies at the root now is in its place."),
    ] = None,
) -> Answer:
    """Make what a first night needs: the SAN's id file, the store's folders, the catalog. May be repeated."""
    from sdfo.nightly import place

    settings = given(ctx).settings()
    if set(new or ()) - {Tier.NEARLINE, Tier.TAPE}:
        raise UsageError("only nearline and tape can be new: for HDFS `sdfo init` is enough", next_command="sdfo init")
    san = place.init(settings, new or ())
    data = {"san": san, "store": settings.hdfs.root, "site": settings.site}
    return Answer(
        data,
        [
            f"SAN {san} belongs to the archive at {settings.hdfs.root} (site {settings.site})",
            _after_init(place.Place(settings, "init"), new or ()),
        ],
    )


def _after_init(place: Place, new: Sequence[Tier]) -> str:
    """A store that is empty, and a catalog that is not: what was there is lost."""
    emptied = not any(place.store.list("exams")) and place.catalog.page_of_copies(Tier.HDFS, 0, 1)
    if emptied or new:
        lost = ", sdfo tape lost --all if the tapes are lost too" if Tier.TAPE in new else ""
        return f"next{lost}: sdfo restore --lost, then sdfo catalog backup --run ID"
    return "next: sdfo doctor, then sdfo night"


def night(
    ctx: typer.Context,
    run: Annotated[
        str | None, typer.Option(metavar="ID", help="The run's id; the local date and time if not given.")
    ] = None,
    engine: Engine = None,
) -> Answer:
    """All steps in order, with the report and the catalog's backup. Exit 1: not a good night, or no backup; 3: good, but a
    person must look."""
    from sdfo.cli.night import not_backed_up, told
    from sdfo.nightly.night import night as whole_night

    place = given(ctx).place(run or "")
    if run is None:
        place = given(ctx).place(default_run(place.settings))
    with showing("night") as progress:
        found = whole_night(place, engine or place.settings.engine, progress)
    why = not_backed_up(place) if found.published else None
    return told(place, found, 1 if not found.good or why else 3 if found.attention else 0, why)


def scan(ctx: typer.Context, run: Run, engine: Engine = None) -> Answer:
    """List the SAN: which exams have settled, which files are new."""
    from sdfo.nightly.scan import scan as step

    place = given(ctx).place(run)
    place.catalog.start_run(place.run, engine or place.settings.engine)
    with showing("scan") as progress:
        return _said("scan", place, step(place, progress))


def convert(ctx: typer.Context, run: Run, engine: Engine = None) -> Answer:
    """Write each exam of the scan as one S-DICOM file per study, as an attempt."""
    from sdfo.nightly.convert import convert as step
    from sdfo.nightly.engines import open_engine

    place = _begun(given(ctx), run)
    settings = place.settings
    with (
        closing(open_engine(engine or settings.engine, settings)) as opened,
        showing("convert") as progress,
    ):
        return _said("convert", place, step(place, opened, progress))


def verify(ctx: typer.Context, run: Run, engine: Engine = None) -> Answer:
    """Re-open each attempt in another process and re-hash every record."""
    from sdfo.nightly.engines import open_engine
    from sdfo.nightly.verify import verify as step

    place = _begun(given(ctx), run)
    settings = place.settings
    with (
        closing(open_engine(engine or settings.engine, settings)) as opened,
        showing("verify") as progress,
    ):
        return _said("verify", place, step(place, opened, progress))


def publish(ctx: typer.Context, run: Run) -> Answer:
    """Rename what was verified to its final name and enter it in the catalog."""
    from sdfo.nightly.publish import publish as step

    place = _begun(given(ctx), run)
    with showing("publish") as progress:
        return _said("publish", place, step(place, progress))


def report(ctx: typer.Context, run: Run) -> Answer:
    """The ledger, what a person must do next, and the page. Exit 1 if a step failed or the ledger does not balance."""
    from sdfo.cli.night import told
    from sdfo.nightly.report import report as step

    place = _begun(given(ctx), run)
    found = step(place)
    return told(place, found, 0 if found.good else 1)


def default_run(settings: Settings) -> str:
    """A run id for a night that was given none: when it began, by the hospital's clock."""
    return datetime.now(ZoneInfo(settings.night.timezone)).strftime("%Y-%m-%dT%H-%M-%S")


def _begun(words: Given, run: str) -> Place:
    """The place of a run that a scan has begun; a mistyped id is not a new run."""
    place = words.place(run)
    if not place.catalog.steps(place.run):
        raise NotFound(
            f"no step of run {place.run} has begun", next_command=f"sdfo scan --run {place.run}, or sdfo status"
        )
    return place


def _said(step: str, place: Place, report: Any) -> Answer:
    """A step's report: its counts."""
    from sdfo.nightly import figures

    counts = asdict(report)
    shown = (f"{name.replace('_', ' ')} {figures.size(n) if name == 'bytes' else n}" for name, n in counts.items())
    return Answer({"step": step, "run": place.run} | counts, [f"{step}: " + " · ".join(shown)])
