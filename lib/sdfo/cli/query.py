"""Images by their UIDs: where their copies lie, their bytes, their headers."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sdfo.cli import show
from sdfo.cli.app import given
from sdfo.cli.show import Answer, Table
from sdfo.errors import UsageError

if TYPE_CHECKING:
    from sdfo.client import Archive
    from sdfo.model import Location

PANEL = "Images"

Uid = Annotated[str, typer.Argument(metavar="UID", help="Of a study, a series or a SOP instance.")]


def register(app: typer.Typer) -> None:
    for command in (locate, get, head):
        app.command(rich_help_panel=PANEL)(command)


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
    as_stored: Annotated[
        bool, typer.Option("--as-stored", help="The compressed DICOM object, of files that some copy holds compressed.")
    ] = False,
    lossy: Annotated[
        bool, typer.Option("--lossy", help="The lossy second objects instead, of files of which some were made.")
    ] = False,
    wait: Annotated[
        bool,
        typer.Option(
            "--wait", help="For what is on tape, until it is here; else it is recalled, and the exit code is 75."
        ),
    ] = False,
) -> Answer:
    """Write the files of a study, series or instance, byte for byte as they lay on the SAN."""
    from sdfo.cli.fetching import bring_back
    from sdfo.nightly import figures

    if lossy and as_stored:
        raise UsageError("--lossy and --as-stored ask for different objects", next_command="sdfo get --help")
    archive = given(ctx).archive()
    try:
        if not lossy:
            bring_back(given(ctx).place("get"), archive, uid, wait)
        done = archive.get_lossy(uid, to) if lossy else archive.get(uid, to, as_stored)
    finally:
        tell_faults(archive)
    data = {"files": done.files, "bytes": done.bytes, "to": to, "faults": done.faults}
    return Answer(data, [f"{figures.many(done.files, 'file')}, {figures.size(done.bytes)}, below {to}"])


def head(ctx: typer.Context, uid: Uid) -> Answer:
    """The DICOM header of an instance (of the first one of a study or series), pixels unread.

    All of it, the patient's name too. With --json, the DICOM JSON model (PS3.18 annex F).
    """
    archive = given(ctx).archive()
    try:
        ds = archive.head(uid)
    finally:
        tell_faults(archive)
    text = "\n".join(map(show.one_line, str(ds).splitlines()))
    return Answer(ds.to_json_dict(suppress_invalid_tags=True), [text])


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


def tell_faults(archive: Archive) -> None:
    """Copies that could not be used, whether or not another one gave the bytes; a line for all of one place and cause."""
    for fault, files in Counter(archive.faults).items():
        what = "a copy" if files == 1 else f"{files} copies"
        show.note(f"{what} on {fault.tier} of study {fault.study} passed over: {fault.what}")
