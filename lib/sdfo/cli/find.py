"""The breadth query: which studies there are."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

import typer

from sdfo.cli.app import given
from sdfo.cli.show import Answer, Table
from sdfo.errors import UsageError


def register(app: typer.Typer) -> None:
    app.command(rich_help_panel="Images")(find)


def find(
    ctx: typer.Context,
    patient: Annotated[
        str | None, typer.Option(metavar="ID", help="Patient ID, or how the patient's name begins.")
    ] = None,
    study: Annotated[str | None, typer.Option(metavar="UID", help="Study Instance UID.")] = None,
    modality: Annotated[str | None, typer.Option(metavar="CT", help="Modality of any of the study's series.")] = None,
    dates: Annotated[
        str | None,
        typer.Option("--date", metavar="A-B", help="Study date: 20261101-20261130, 20261101-, -20261130 or 20261124."),
    ] = None,
    limit: Annotated[int, typer.Option(min=0, metavar="N", help="Studies to show at most; 0 shows all.")] = 1000,
) -> Answer:
    """Studies that answer to all conditions: online, near-line, offline; chronological in each.

    Patients are shown by their id alone.
    """
    from sdfo.catalog import Query
    from sdfo.nightly import figures

    since, until = date_range(dates)
    rows = list(given(ctx).archive().find(Query(patient, study, modality, since, until), limit + 1 if limit else None))
    more = bool(limit) and len(rows) > limit
    rows = rows[:limit] if limit else rows
    heads = ("availability", "date", "modality", "patient", "description", "series", "images", "study")
    table = Table(
        heads,
        [
            (
                r.availability.name.lower(),
                r.date,
                ",".join(r.modalities),
                r.patient_id,
                r.description,
                r.series,
                r.instances,
                r.study,
            )
            for r in rows
        ],
        frozenset({"series", "images"}),
    )
    end = figures.many(len(rows), "study", "studies") + (
        ", and more: narrow the query, or raise --limit" if more else ""
    )
    return Answer(
        {"studies": [_study(row) for row in rows], "more": more}, [table, "", end] if rows else ["no study answers"]
    )


def date_range(text: str | None) -> tuple[date | None, date | None]:
    """`A-B`, `A-`, `-B` or one day; YYYYMMDD as in DICOM's range matching (PS3.4 section C.2.2.2.5)."""
    if text is None:
        return None, None
    first, dash, last = text.partition("-")
    if not dash:
        last = first
    try:
        since, until = (datetime.strptime(part, "%Y%m%d").date() if part else None for part in (first, last))
    except ValueError:
        since = until = None
    if (since is None and until is None) or (since and until and since > until):
        raise UsageError(
            "--date is no range of days",
            expected="YYYYMMDD, YYYYMMDD-YYYYMMDD, YYYYMMDD- or -YYYYMMDD",
            found=text,
            next_command="sdfo find --help",
        )
    return since, until


def _study(row: Any) -> dict[str, Any]:
    """A study without the patient's name and birth date: whoever needs them asks `head`."""
    names = (
        "study",
        "patient_id",
        "date",
        "time",
        "description",
        "accession",
        "modalities",
        "series",
        "instances",
        "parts",
        "tiers",
    )
    return {name: getattr(row, name) for name in names} | {"availability": row.availability.name.lower()}
