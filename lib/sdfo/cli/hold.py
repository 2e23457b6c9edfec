"""Holds: exams of which every copy stays, until somebody releases them."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sdfo.cli.app import given
from sdfo.cli.show import Answer, Table, moment
from sdfo.errors import UsageError

if TYPE_CHECKING:
    from sdfo.catalog import Catalog, Hold, HoldKind


def register(app: typer.Typer) -> None:
    app.command(rich_help_panel="Care")(hold)


def hold(
    ctx: typer.Context,
    uid: Annotated[str | None, typer.Argument(metavar="UID", help="A Study Instance UID.")] = None,
    patient: Annotated[
        str | None, typer.Option(metavar="ID", help="All exams of this patient, those to come too.")
    ] = None,
    listed: Annotated[
        Path | None, typer.Option("--list", metavar="FILE", help="Study Instance UIDs, one a line; # begins a remark.")
    ] = None,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Kept with the hold.")] = "",
    release: Annotated[
        int | None, typer.Option(metavar="ID", help="End a hold: what it kept may be removed again.")
    ] = None,
    everything: Annotated[bool, typer.Option("--list-all", help="Released ones too.")] = False,
) -> Answer:
    """Keep every copy of exams on every tier. Without words: the holds in force."""
    words = [word is not None for word in (uid, patient, listed, release)] + [everything]
    if sum(words) > 1:
        raise UsageError(
            "give one of UID, --patient, --list, --release and --list-all", next_command="sdfo hold --help"
        )
    catalog = given(ctx).place("hold").catalog
    if release is not None:
        catalog.release_hold(release, _who())
        return Answer({"released": release}, [f"hold {release} is released"])
    if not any(words[:-1]):
        return _shown(catalog.holds(released=everything))
    return _placed(catalog, *_subjects(uid, patient, listed), reason)


def _subjects(uid: str | None, patient: str | None, listed: Path | None) -> tuple[HoldKind, list[str]]:
    """What to hold. `UsageError` for a UID that is none: a hold on a slip of the pen would protect nothing."""
    from sdfo.catalog import HoldKind
    from sdfo.model import is_uid

    if patient is not None:
        return HoldKind.PATIENT, [patient]
    uids = [uid] if uid is not None else _read(listed)
    for number, each in enumerate(uids, 1):
        if not is_uid(each):
            raise UsageError(f"entry {number} is no UID", found=repr(each[:64]), next_command="sdfo find --patient ID")
    return HoldKind.STUDY, uids


def _read(listed: Path | None) -> list[str]:
    try:
        lines = (listed or Path()).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("the list cannot be read", path=str(listed)) from error
    return [uid for line in lines if (uid := line.partition("#")[0].strip())]


def _placed(catalog: Catalog, kind: HoldKind, subjects: list[str], reason: str) -> Answer:
    number = catalog.hold(kind, subjects, reason, _who())
    placed = next(each for each in catalog.holds() if each.id == number)
    text = [f"hold {number}: {placed.exams} exams of the archive are kept"]
    if placed.exams < len(placed.subjects):
        text.append("not all of what it names is in the archive (yet): sdfo find")
    return Answer({"hold": placed}, text)


def _shown(holds: list[Hold]) -> Answer:
    rows = [
        (each.id, each.kind, _named(each), each.exams, moment(each.since), each.who, each.reason, moment(each.released))
        for each in holds
    ]
    heads = ("id", "of", "whom", "exams", "since", "by", "reason", "released")
    table = Table(heads, rows, frozenset({"id", "exams"}))
    return Answer({"holds": holds}, [table] if rows else ["nothing is held"])


def _named(hold: Hold) -> str:
    first, *more = hold.subjects
    return f"{first} and {len(more)} more" if more else first


def _who() -> str:
    """Who typed it, also behind sudo."""
    return os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name
