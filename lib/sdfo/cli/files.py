"""S-DICOM files by themselves: what is inside, and whether it is whole. No catalog is asked."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sdfo.cli.app import Given, given
from sdfo.cli.show import Answer, Table
from sdfo.errors import BadPath, Missing, UsageError

if TYPE_CHECKING:
    from sdfo.sdicom import Part

PANEL = "S-DICOM files"

File = Annotated[
    str, typer.Argument(metavar="FILE.sdicom", help="A file of this machine, or a path in the HDFS store (exams/…).")
]


def register(app: typer.Typer) -> None:
    for command in (ls, check):
        app.command(rich_help_panel=PANEL)(command)


def ls(ctx: typer.Context, file: File) -> Answer:
    """What is inside: one line a record. Records are told by number: their keys are file names of the SAN."""
    with opened(given(ctx), file) as part:
        records = [_record(number, record) for number, record in enumerate(part.records)]
        aparts = [{"path": apart.path, "length": apart.length, "sha256": apart.sha256} for apart in part.aparts]
        facts = {"path": part.path, "study": part.study, "check": part.check_digest, "bytes": part.size}
    rows = [
        (
            row["number"],
            row["kind"],
            row["offset"],
            row["length"],
            row["form"],
            row["frames"],
            row["transfer_syntax"],
            row["sop"],
        )
        for row in records
    ]
    heads = ("record", "kind", "offset", "length", "form", "frames", "transfer syntax", "instance")
    text: list[str | Table] = [
        f"study {facts['study']}",
        f"check {facts['check']}, {facts['bytes']} bytes, {len(records)} records, {len(aparts)} files apart",
        "",
        Table(
            heads, [["–" if cell is None else cell for cell in row] for row in rows], frozenset(heads[:1] + heads[2:4])
        ),
        *(f"apart: {apart['path']}, {apart['length']} bytes" for apart in aparts),
    ]
    return Answer(facts | {"records": records, "apart": aparts}, text)


def check(
    ctx: typer.Context,
    file: File,
    deep: Annotated[bool, typer.Option("--deep", help="Hash every value too, and encode the header again.")] = False,
    originals: Annotated[
        bool, typer.Option("--originals", help="Decode every compressed value too, and hash the file it stands for.")
    ] = False,
) -> Answer:
    """Whether it is whole. Exit 1 if not; 3 if it is, and a file that belongs beside it is not there (--deep)."""
    with opened(given(ctx), file) as part:
        done = part.check(deep, originals=originals)
        kinds = Counter(str(record.kind) for record in part.records)
        facts = {"path": part.path, "study": part.study, "check": part.check_digest, "whole": True, "deep": deep}
    how = (
        f"{done.bytes} bytes hashed, {done.aparts} files apart"
        if deep
        else "header and places; values were not read (--deep)"
    )
    text = [f"{facts['path']} is whole: {done.records} records, {how}"]
    if originals:
        text.append(f"{done.restored} originals came out of compressed values, equal to their SHA-256")
    if kinds["damaged"]:
        text.append(f"{kinds['damaged']} of its records are DICOM files that came damaged and are kept as they came")
    text += [
        f"a file that belongs beside it is not there: {name}; next: sdfo locate {facts['study']}"
        for name in done.absent
    ]
    return Answer(facts | asdict(done) | {"kinds": kinds}, text, 3 if done.absent else 0)


def opened(words: Given, file: str) -> Part:
    """The file, of this machine if there is such a one, else of the HDFS store."""
    from sdfo.sdicom import Part
    from sdfo.stores import open_store
    from sdfo.stores.local import LocalStore

    local = Path(file)
    try:
        if local.is_file():
            return Part.open(LocalStore(local.parent), local.name)
        hdfs = words.settings().hdfs
        return Part.open(open_store(hdfs.root, hdfs), file)
    except BadPath as error:
        if local.is_file():
            what, after = "the file's name holds characters outside [A-Za-z0-9._-]", "link or copy it to a plain name"
            raise UsageError(what, next_command=after) from error
        raise Missing(
            "no such file on this machine, and no path of the HDFS store", next_command="sdfo locate UID"
        ) from error
    except Missing as error:
        raise Missing(
            "no such file, here or in the HDFS store", path=error.path, next_command="sdfo locate UID"
        ) from error


def _record(number: int, record: Any) -> dict[str, Any]:
    return {
        "number": number,
        "kind": record.kind,
        "reason": record.reason,
        "sop": record.sop,
        "series": record.series,
        "sop_class": record.sop_class,
        "transfer_syntax": record.transfer_syntax,
        "offset": record.offset,
        "length": record.length,
        "form": record.form,
        "frames": None if record.frames is None else len(record.frames),
        "head": record.head,
        "tail": record.tail,
        "sha256": record.sha256,
        "original": None if record.original is None else record.original.sha256,
        "layers": None if record.layers is None else max(map(len, record.layers)),
    }
