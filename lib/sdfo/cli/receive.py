"""Received DICOM files onto the SAN."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sdfo.cli import show
from sdfo.cli.app import given
from sdfo.cli.show import Answer, Table
from sdfo.errors import SdfoError, UsageError

if TYPE_CHECKING:
    from sdfo.client import Archive


def register(app: typer.Typer) -> None:
    app.command(rich_help_panel="Images")(store)


def store(
    ctx: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="DICOM files.")],
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


def _stored(archive: Archive, file: Path, number: int) -> dict[str, Any]:
    try:
        kept = archive.store(_received(file))
    except SdfoError as error:
        show.note(f"file {number} was refused: {error}")
        return {"error": type(error).__name__, "what": str(error)}
    return {"study": kept.study, "sop": kept.sop, "sha256": kept.sha256, "new": kept.new}


def _received(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UsageError(f"it cannot be read: {os.strerror(error.errno or 0)}") from error


def _store_row(row: dict[str, Any]) -> tuple[object, ...]:
    if "error" in row:
        return row["number"], "–", "–", f"refused: {row['what']}"
    return row["number"], row["study"], row["sop"], "stored" if row["new"] else "was there already"
