"""Verified parts become archived: one transaction a batch, one savepoint an exam, shown to nobody before it is whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, IntegrityError

from sdfo.catalog import availability, marks, quarantine, records, san, waiting
from sdfo.catalog.engine import kind_of
from sdfo.catalog.entries import PartEntry
from sdfo.catalog.journal import Line, stamped
from sdfo.catalog.quarantine import CONFLICT, QuarantineNote
from sdfo.errors import Conflict
from sdfo.model import FileStamp


@dataclass(frozen=True, slots=True)
class Published:
    """`new`: in the catalog since this call. `already`: it was. `conflict`: it is not, set aside, and `reason` says why."""

    study: str
    ordinal: int | None
    check: str
    state: Literal["new", "already", "conflict"]
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """What rebuild knows better than the moment of the call: when and as which part an entry was published first."""

    at: datetime
    ordinal: int | None = None
    verified: bool = True


def publish(
    conn: Connection, run: str, entries: Sequence[PartEntry], now: datetime
) -> tuple[list[Published], list[Line]]:
    """Each entry in a savepoint; the results in the entries' order, and the journal's lines."""
    results, lines = [], []
    for entry in entries:
        try:
            with conn.begin_nested():
                result, new_lines = one(conn, run, entry, Origin(now))
        except (IntegrityError, DataError, Conflict) as error:
            reason = str(error) if isinstance(error, Conflict) else f"the catalog refused a row ({kind_of(error)})"
            result = Published(entry.study, None, entry.check, "conflict", reason)
            new_lines = _set_aside(conn, run, entry, [QuarantineNote(CONFLICT)], now)
        results.append(result)
        lines += new_lines
    return results, lines


def one(conn: Connection, run: str, entry: PartEntry, origin: Origin) -> tuple[Published, list[Line]]:
    """One exam's part. Repeating it completes what is missing and changes nothing that is there."""
    notes = list(entry.quarantines)
    found = records.held(conn, entry)
    if found is None:
        part_id, ordinal = records.add_part(conn, entry, origin.ordinal)
        notes += records.damaged(entry) + records.settle_versions(conn, entry, ordinal)
        for work in waiting.WORKS:
            waiting.put(conn, part_id, origin.at, work=work)
    else:
        part_id, ordinal = found
    records.add_copy(conn, part_id, entry, origin.at if origin.verified else None)
    kept = marks.mark_files(conn, entry.study, entry.files, {each.sha256: each for each in entry.instances}, origin.at)
    availability.refresh(conn, [entry.study])
    state: Literal["new", "already"] = "new" if found is None else "already"
    line = {
        "what": "part",
        "state": state,
        "run": run,
        "study": entry.study,
        "check": entry.check,
        "ordinal": ordinal,
        "tier": entry.tier,
        "path": entry.path,
        "codec": entry.codec,
        "at": stamped(origin.at),
        "files": marks.file_lines(conn, kept, entry.folder, {each.name: each.sha256 for each in entry.instances}),
    }
    files = {(mark.folder_id, mark.stamp.name) for mark in kept}
    closed = quarantine.close_archived(conn, entry.study, files, origin.at)
    opened = _set_aside(conn, run, entry, notes, origin.at)
    return Published(entry.study, ordinal, entry.check, state), [line, *closed, *opened]


def _set_aside(
    conn: Connection, run: str, entry: PartEntry, notes: Iterable[QuarantineNote], now: datetime
) -> list[Line]:
    folder_id = san.ensure_folder(conn, entry.folder)
    stamps: dict[bytes, FileStamp] = {mark[1].name: mark[1] for mark in entry.files if mark[0] == folder_id}
    lines = []
    for note in notes:
        stamp = note.stamp or stamps.get(note.name)
        full = QuarantineNote(note.reason, note.name, note.ordinal, note.kind, stamp)
        lines.append(quarantine.open_entry(conn, run, entry.study, folder_id, full, now)[1])
    return [line for line in lines if line is not None]
