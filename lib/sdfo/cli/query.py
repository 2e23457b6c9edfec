"""Finding, reading and storing images."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sdfo.cli import show
from sdfo.cli.app import given
from sdfo.cli.show import Answer, Table
from sdfo.errors import SdfoError, UsageError

if TYPE_CHECKING:
    from sdfo.client import Archive
    from sdfo.model import Location

PANEL = "Images"

Uid = Annotated[str, typer.Argument(metavar="UID", help="Of a study, a series or a SOP instance.")]


def register(app: typer.Typer) -> None:
    for command in (find, locate, get, head, store):
        app.command(rich_help_panel=PANEL)(command)


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
    found = given(ctx).archive().find(Query(patient, study, modality, since, until))
    rows = list(islice(found, limit + 1)) if limit else list(found)
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


def locate(ctx: typer.Context, uid: Uid) -> Answer:
    """Every copy of a study, series or instance, cheapest first."""
    archive = given(ctx).archive()
    copies = archive.locate(uid)
    ids = {path: row.id for path, row in archive.catalog.folders().items()}
    text = _groups(copies, ids)
    return Answer({"copies": [_copy(copy, ids.get(copy.folder)) for copy in copies]}, [text])


def get(
    ctx: typer.Context,
    uid: Uid,
    to: Annotated[Path, typer.Option(metavar="DIR", help="Folder to write below; nothing in it is ever replaced.")],
) -> Answer:
    """Write the files of a study, series or instance, byte for byte as they lay on the SAN."""
    from sdfo.nightly import figures

    archive = given(ctx).archive()
    done = archive.get(uid, to)
    _faults(archive)
    data = {"files": done.files, "bytes": done.bytes, "to": to, "faults": done.faults}
    return Answer(data, [f"{figures.many(done.files, 'file')}, {figures.size(done.bytes)}, below {to}"])


def head(ctx: typer.Context, uid: Uid) -> Answer:
    """The DICOM header of an instance (of the first one of a study or series), pixels unread.

    All of it, the patient's name too. With --json, the DICOM JSON model (PS3.18 annex F).
    """
    archive = given(ctx).archive()
    ds = archive.head(uid)
    _faults(archive)
    text = "\n".join(map(show.one_line, str(ds).splitlines()))
    return Answer(ds.to_json_dict(suppress_invalid_tags=True), [text])


def store(
    ctx: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="DICOM files.", exists=True, dir_okay=False)],
) -> Answer:
    """Keep received DICOM files on the SAN, each whole or not at all; they are found and read at once.

    A file that is refused does not hold the others: it is told by its number, and the exit code is 1.
    """
    archive = given(ctx).archive()
    rows: list[dict[str, Any]] = []
    for number, file in enumerate(files, 1):
        rows.append({"number": number} | _stored(archive, file, number))
    failed = sum("error" in row for row in rows)
    table = Table(("file", "study", "instance", "became"), [_store_row(row) for row in rows], frozenset({"file"}))
    return Answer({"files": rows, "failed": failed}, [table], 1 if failed else 0)


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


def _copy(copy: Location, folder_id: int | None) -> dict[str, Any]:
    extent = copy.extent
    return {
        "tier": copy.tier,
        "study": copy.study,
        "series": copy.series,
        "sop": copy.sop,
        "folder_id": folder_id,
        "path": copy.path,
        "offset": None if extent is None else extent.offset,
        "length": copy.size if extent is None else extent.length,
        "sha256": copy.sha256,
        "kind": copy.kind,
        "form": copy.form,
        "version": copy.version,
    }


def _groups(copies: list[Location], ids: dict[bytes, int]) -> Table:
    """One line a place; an extent where there is a single file in it."""
    groups: dict[tuple[str, str, str], list[Location]] = defaultdict(list)
    for copy in copies:
        place = copy.path or f"SAN folder {ids.get(copy.folder, '?')}"
        groups[copy.tier, copy.study, place].append(copy)
    rows = []
    for (tier, study, place), files in groups.items():
        extent = files[0].extent if len(files) == 1 else None
        at = "" if extent is None else f"{extent.offset}+{extent.length}"
        rows.append((tier, len(files), sum(file.size for file in files), place, at, study))
    return Table(("tier", "files", "bytes", "place", "offset+length", "study"), rows, frozenset({"files", "bytes"}))


def _faults(archive: Archive) -> None:
    """Copies that could not be used, though another one gave the bytes."""
    for fault in archive.faults:
        show.note(f"a copy on {fault.tier} of study {fault.study} was passed over: {fault.what}")


def _stored(archive: Archive, file: Path, number: int) -> dict[str, Any]:
    try:
        kept = archive.store(file.read_bytes())
    except SdfoError as error:
        show.note(f"file {number} was refused: {error}")
        return {"error": type(error).__name__, "what": str(error)}
    return {"study": kept.study, "sop": kept.sop, "sha256": kept.sha256, "new": kept.new}


def _store_row(row: dict[str, Any]) -> tuple[object, ...]:
    if "error" in row:
        return row["number"], "–", "–", f"refused: {row['what']}"
    return row["number"], row["study"], row["sop"], "stored" if row["new"] else "was there already"
