"""The protected region, drawn over the image for whoever judges it."""

from __future__ import annotations

import os
import secrets
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sdfo.cli.app import given
from sdfo.cli.query import PANEL, Uid, tell_faults
from sdfo.cli.show import Answer, Table, note
from sdfo.errors import DicomError, Exists, StoreError, UsageError

if TYPE_CHECKING:
    from sdfo.client import Archive
    from sdfo.model import Location
    from sdfo.region import Plan, Region
    from sdfo.region.frames import Frames

SHEET = 400
"""Images on a sheet, at most: of more, some are chosen evenly."""


def register(app: typer.Typer) -> None:
    app.command(rich_help_panel=PANEL)(region)


def region(
    ctx: typer.Context,
    uid: Uid,
    to: Annotated[
        Path, typer.Option(metavar="FILE.png", help="The picture, readable by you alone; never an old file.")
    ],
    frame: Annotated[int, typer.Option(min=1, metavar="N", help="Which frame of a multi-frame image.")] = 1,
    method: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="body, otsu, whole or package.module:function, else as in the settings."),
    ] = None,
) -> Answer:
    """Draw the protected region: its outline over an image, or a sheet of a series.

    Protected is what comes first and exact from a JPEG 2000 copy. Nobody's name is on the picture.
    """
    from sdfo.region import drawing

    words = given(ctx)
    archive, plan = words.archive(), _plan(words.settings().region, method)
    if os.path.lexists(to):
        raise Exists("the picture's file is there already", path=str(to))
    try:
        files = archive.locator.files(uid)
        if any(copies[0].sop == uid for copies in files):
            found = [_image(archive, files[0], plan, frame)]
            picture = found[0].picture
        else:
            found = _series(archive, files, plan)
            picture = drawing.sheet([drawing.Tile(each.picture, each.caption) for each in found])
    finally:
        tell_faults(archive)
    _written(to, drawing.png(picture))
    return _said(uid, to, found)


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """One frame with its region, drawn."""

    image: int
    frame: int | None
    sop: str | None
    region: Region
    picture: Any

    @property
    def caption(self) -> str:
        return f"{self.image}{'' if self.frame is None else f'/{self.frame}'}  {self.region.area:.0%}"

    def row(self) -> dict[str, Any]:
        found = self.region
        names = ("method", "threshold", "area", "whole", "reason")
        return {"image": self.image, "frame": self.frame, "sop": self.sop} | {n: getattr(found, n) for n in names}


def _plan(settings: Plan, method: str | None) -> Plan:
    """With the method of the command line for every modality."""
    from pydantic import ValidationError

    from sdfo.conf import Region

    try:
        return settings if method is None else Region(**settings.model_dump() | {"method": method, "methods": {}})
    except ValidationError as error:
        raise UsageError("--method names none", expected="body, otsu, whole or package.module:function") from error


def _image(archive: Archive, copies: tuple[Location, ...], plan: Plan, frame: int) -> Judged:
    from sdfo.region import drawing
    from sdfo.region.frames import Frames

    frames = Frames.of(archive.reader.read(copies))
    if frame > frames.count:
        raise UsageError("the image has no such frame", expected=f"1 to {frames.count}", found=frame)
    return _judged(frames, frame - 1, plan, copies[0], 1, drawing.outlined)


def _series(archive: Archive, files: list[tuple[Location, ...]], plan: Plan) -> list[Judged]:
    """Every image of the one series that there is, by number."""
    series = Counter(copies[0].series for copies in files if copies[0].series)
    if len(series) > 1:
        each = ", ".join(f"{uid} ({count} files)" for uid, count in sorted(series.items()))
        raise UsageError("a study of several series makes no sheet: name one of them", found=each)
    chosen = files[:: -(-len(files) // SHEET)]
    found, left = list[Judged](), 0
    for ordinal, (copies, data) in enumerate(zip(chosen, archive.reader.each(chosen), strict=True), start=1):
        try:
            found += _tiles(data, plan, copies[0], ordinal, SHEET // len(chosen))
        except DicomError:
            left += 1
    _tell_left(len(files) - len(chosen), left)
    if not found:
        raise DicomError("no image of the series can be shown")
    return sorted(found, key=lambda each: (each.image, each.frame or 0))


def _tiles(data: bytes, plan: Plan, place: Location, ordinal: int, most: int) -> list[Judged]:
    from sdfo.region import drawing
    from sdfo.region.frames import Frames

    frames = Frames.of(data)
    return [_judged(frames, number, plan, place, ordinal, drawing.small) for number in frames.some(most)]


def _judged(frames: Frames, number: int, plan: Plan, place: Location, ordinal: int, draw: Any) -> Judged:
    from sdfo.region import Shown, find
    from sdfo.region.view import view

    samples = frames.samples(number)
    found = find(Shown.of(frames.ds, samples, number), plan)
    picture = draw(view(frames.ds, samples, number), found.mask)
    frame = number + 1 if frames.count > 1 else None
    return Judged(frames.number or ordinal, frame, place.sop, found, picture)


def _tell_left(many: int, left: int) -> None:
    from sdfo.nightly import figures

    for count, why in ((many, f"it holds {SHEET}"), (left, "no image, or one that cannot be decoded")):
        if count:
            note(f"not on the sheet: {figures.many(count, 'file')} of the series; {why}")


def _written(to: Path, data: bytes) -> None:
    """Whole or not at all, for the caller's eyes only."""
    attempt = to.with_name(f".sdfo-{secrets.token_hex(8)}")
    try:
        with open(os.open(attempt, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
        if os.path.lexists(to):
            raise Exists("the picture's file is there already", path=str(to))
        os.rename(attempt, to)
    except OSError as error:
        raise StoreError(f"the picture cannot be written: {os.strerror(error.errno or 0)}", path=str(to)) from error
    finally:
        with suppress(OSError):
            os.unlink(attempt)


def _said(uid: str, to: Path, found: list[Judged]) -> Answer:
    from sdfo.nightly import figures

    rows = [each.row() for each in found]
    shown = [
        (
            each.caption.split()[0],
            f"{each.region.area:.1%}",
            each.region.method,
            "–" if each.region.threshold is None else f"{each.region.threshold:.6g}",
            each.region.reason,
        )
        for each in found
    ]
    mean = sum(each.region.area for each in found) / len(found)
    wholes = sum(each.region.whole for each in found)
    end = f"{to}: {figures.many(len(found), 'image')}, {wholes} of them as a whole; protected on average {mean:.1%} of the pixels"
    table = Table(("image", "area", "method", "threshold", "reason"), shown, frozenset({"image", "area", "threshold"}))
    return Answer({"uid": uid, "to": to, "area": mean, "images": rows}, [table, "", end])
