"""The backlog of the first load: exam folders that are left to it, newest first, until a slice has been through them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, func, select, update

from sdfo.catalog import tables
from sdfo.catalog.engine import batched
from sdfo.catalog.san import SanFolder, folder_of

WAITING, TAKEN = "waiting", "taken"
"""States of a folder that is the first load's, and of one that a slice has been through: it never waits again."""

_FOLDER = tables.san_folder.c


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits: exam folders, their files as last listed, and the mtimes of the newest and the oldest of them."""

    exams: int
    files: int
    newest_ns: int | None
    oldest_ns: int | None


def backlog(conn: Connection) -> Backlog:
    columns = (
        func.count(),
        func.coalesce(func.sum(_FOLDER.files), 0),
        func.max(_FOLDER.newest_ns),
        func.min(_FOLDER.newest_ns),
    )
    exams, files, newest, oldest = conn.execute(select(*columns).where(_FOLDER.state == WAITING)).one()
    return Backlog(exams, int(files), newest, oldest)


def waiting(conn: Connection, most: int) -> list[SanFolder]:
    """At most so many of the folders, newest first."""
    rows = select(tables.san_folder).where(_FOLDER.state == WAITING).order_by(_FOLDER.newest_ns.desc(), _FOLDER.path)
    return [folder_of(row) for row in conn.execute(rows.limit(most))]


def sample(conn: Connection, each: int) -> list[SanFolder]:
    """One folder of so many: their ids are given in the order of their names, which says nothing of age or size."""
    rows = select(tables.san_folder).where(_FOLDER.state == WAITING, _FOLDER.id % each == 0)
    return [folder_of(row) for row in conn.execute(rows)]


def take(conn: Connection, ids: Iterable[int]) -> None:
    """A slice has been through these. One that meanwhile is no longer `waiting` stays what it is."""
    for piece in batched(ids):
        these = (_FOLDER.id.in_(piece), _FOLDER.state == WAITING)
        conn.execute(update(tables.san_folder).where(*these).values(state=TAKEN))
