"""Verified parts become archived: one transaction a batch, one savepoint an exam, shown to nobody before it is whole."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, bindparam, func, insert, select, update
from sqlalchemy.exc import DataError, IntegrityError

from sdfo.catalog import attributes, availability, quarantine, san, tables
from sdfo.catalog.engine import batched, kind_of, upsert
from sdfo.catalog.entries import InstanceEntry, PartEntry
from sdfo.catalog.journal import Line, as_text, stamped
from sdfo.catalog.quarantine import QuarantineNote
from sdfo.catalog.san import FileMark
from sdfo.catalog.versions import Claim, disputed, ranked
from sdfo.errors import Conflict
from sdfo.model import FileStamp, Kind, Tier

CONFLICT = "conflict"
"""The reason of a quarantine entry for two things that claim one place."""

_PART, _RECORD = tables.part.c, tables.instance.c


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
    opens: bool = True
    """Whether damaged records and conflicts open quarantine entries; in a rebuild the journal holds them."""


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
    held = conn.execute(
        select(_PART.id, _PART.ordinal).where(_PART.study == entry.study, _PART.check == entry.check)
    ).one_or_none()
    notes = list(entry.quarantines)
    if held is None:
        part_id, ordinal = _add_part(conn, entry, origin.ordinal)
        notes += _damaged(entry) + _settle_versions(conn, entry, ordinal)
    else:
        part_id, ordinal = held
    _add_copy(conn, part_id, entry, origin)
    marks = mark_files(conn, entry.study, entry.files, {each.sha256: each for each in entry.instances}, origin.at)
    availability.refresh(conn, [entry.study])
    state: Literal["new", "already"] = "new" if held is None else "already"
    line = {
        "what": "part",
        "state": state,
        "run": run,
        "study": entry.study,
        "check": entry.check,
        "ordinal": ordinal,
        "path": entry.path,
        "at": stamped(origin.at),
        "files": file_lines(conn, marks),
    }
    opened = _set_aside(conn, run, entry, notes, origin.at) if origin.opens else []
    return Published(entry.study, ordinal, entry.check, state), [line, *opened]


def mark_files(
    conn: Connection, study: str, marks: Sequence[FileMark], known: dict[str, InstanceEntry], now: datetime
) -> list[FileMark]:
    """Mark SAN files as archived, and keep the aliases among them; the marks as kept."""
    marks = _without_selves(conn, study, [FileMark(*mark) for mark in marks])
    kept = san.mark(conn, study, marks, known, now)
    aliases = [
        {
            "folder_id": mark.folder_id,
            "key": san.keyed(mark.stamp.name),
            "sha256": mark.sha256,
            "name": mark.stamp.name,
            "study": study,
        }
        for mark in kept
        if mark.state == "alias"
    ]
    if aliases:
        conn.execute(upsert(conn, tables.alias).on_conflict_do_nothing(), aliases)
    return kept


def file_lines(conn: Connection, marks: Sequence[FileMark]) -> dict[str, list[list[Any]]]:
    """Marks for the journal, by folder. What a record says of its file is left to the record."""
    paths = san.folder_paths(conn, {mark.folder_id for mark in marks})
    lines: dict[str, list[list[Any]]] = defaultdict(list)
    for mark in marks:
        stamp = [as_text(mark.stamp.name), mark.stamp.size, mark.stamp.mtime_ns, mark.stamp.ctime_ns]
        more = [mark.sha256, mark.series, mark.sop, mark.sop_class] if mark.state == "alias" else []
        lines[as_text(paths[mark.folder_id])].append([*stamp, stamped(mark.first_seen), *more])
    return lines


def _add_part(conn: Connection, entry: PartEntry, ordinal: int | None) -> tuple[int, int]:
    attributes.keep(conn, [entry.attributes], noted=False)
    attributes.ensure(conn, ((entry.study, each.series) for each in entry.instances))
    if ordinal is None:
        newest = conn.execute(select(func.max(_PART.ordinal)).where(_PART.study == entry.study)).scalar()
        ordinal = (newest or 0) + 1
    values = {
        "study": entry.study,
        "ordinal": ordinal,
        "check": entry.check,
        "first_record": entry.first_record,
        "folder": entry.folder,
    }
    part_id = conn.execute(insert(tables.part).values(values).returning(_PART.id)).scalar_one()
    series_ids = _archived_series(conn, entry)
    rows = [_instance_row(part_id, number, each, series_ids) for number, each in enumerate(entry.instances)]
    if rows:
        conn.execute(insert(tables.instance), rows)
    return part_id, ordinal


def _archived_series(conn: Connection, entry: PartEntry) -> dict[str, int]:
    """Ids of the study's series; those of the entry no longer depend on what the scan noted."""
    row = tables.series.c
    here = {each.series for each in entry.instances if each.series}
    for piece in batched(sorted(here)):
        archived = (row.study == entry.study, row.uid.in_(piece))
        conn.execute(update(tables.series).where(*archived).values(noted=False))
    return {uid: key for uid, key in conn.execute(select(row.uid, row.id).where(row.study == entry.study))}


def _instance_row(part_id: int, number: int, each: InstanceEntry, series_ids: dict[str, int]) -> dict[str, Any]:
    return {
        "part_id": part_id,
        "number": number,
        "sop": each.sop,
        "series_id": series_ids[each.series] if each.series else None,
        "kind": each.kind,
        "name": each.name,
        "offset": each.offset,
        "length": each.length,
        "sha256": each.sha256,
        "pixels": each.pixels,
        "version": 0,
        "path": each.path,
    }


def _add_copy(conn: Connection, part_id: int, entry: PartEntry, origin: Origin) -> None:
    """A copy that is there keeps its state: publishing again re-reads nothing, so it heals nothing."""
    values = {
        "part_id": part_id,
        "tier": entry.tier,
        "path": entry.path,
        "size": entry.size,
        "check": entry.check,
        "codec": entry.codec,
        "form": entry.form,
        "state": "verified" if origin.verified else "written",
        "verified_at": origin.at if origin.verified else None,
    }
    conn.execute(upsert(conn, tables.copy).values(values).on_conflict_do_nothing(index_elements=["part_id", "tier"]))


def _settle_versions(conn: Connection, entry: PartEntry, ordinal: int) -> list[QuarantineNote]:
    """Give the versions of every UID that this part repeats; what a person must see of it."""
    claims = _claims(conn, entry, ordinal)
    changes, notes = [], []
    for claimed in claims.values():
        for version, claim in enumerate(ranked(claimed)):
            changes.append({"of_part": claimed[claim], "of_number": claim.number, "version": version})
        ours = (claim for claim in disputed(claimed) if claim.ordinal == ordinal)
        notes += [_note(entry, claim.number, CONFLICT) for claim in ours]
    if changes:
        this = (_RECORD.part_id == bindparam("of_part"), _RECORD.number == bindparam("of_number"))
        conn.execute(update(tables.instance).where(*this).values(version=bindparam("version")), changes)
    return sorted(notes, key=lambda note: note.ordinal or 0)


def _claims(conn: Connection, entry: PartEntry, ordinal: int) -> dict[str, dict[Claim, int]]:
    """By repeated UID: the claims on it in this study, each with its part's id."""
    query = select(
        _RECORD.sop, _RECORD.part_id, _PART.ordinal, _RECORD.number, _RECORD.kind, _RECORD.pixels
    ).join_from(tables.part, tables.instance)
    found: dict[str, dict[Claim, int]] = defaultdict(dict)
    repeated = _repeated(conn, entry, ordinal)
    for piece in batched(sorted(repeated)):
        for sop, part_id, *claim in conn.execute(query.where(_PART.study == entry.study, _RECORD.sop.in_(piece))):
            found[sop][Claim(*claim)] = part_id
    return found


def _repeated(conn: Connection, entry: PartEntry, ordinal: int) -> set[str]:
    seen: set[str] = set()
    repeated = set()
    for each in entry.instances:
        if each.sop:
            (repeated if each.sop in seen else seen).add(each.sop)
    if ordinal == 1 and not _has_others(conn, entry):
        return repeated
    elsewhere = select(_RECORD.sop).join_from(tables.part, tables.instance)
    elsewhere = elsewhere.where(_PART.study == entry.study, _PART.check != entry.check)
    return repeated | (seen & set(conn.execute(elsewhere).scalars()))


def _has_others(conn: Connection, entry: PartEntry) -> bool:
    others = select(_PART.id).where(_PART.study == entry.study, _PART.check != entry.check)
    return conn.execute(others.limit(1)).scalar() is not None


def _damaged(entry: PartEntry) -> list[QuarantineNote]:
    return [
        _note(entry, number, each.reason or "damaged")
        for number, each in enumerate(entry.instances)
        if each.kind == Kind.DAMAGED
    ]


def _note(entry: PartEntry, number: int, reason: str) -> QuarantineNote:
    record = entry.instances[number]
    return QuarantineNote(reason, record.name, number, record.kind)


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


def _without_selves(conn: Connection, study: str, marks: list[FileMark]) -> list[FileMark]:
    """A file that was touched, and so read again, is found to be held: by its own record. It is no alias."""
    if all(mark.state != "alias" for mark in marks):
        return marks
    held = select(_PART.folder, _RECORD.name, _RECORD.sha256).join_from(tables.part, tables.instance)
    records = {tuple(row) for row in conn.execute(held.where(_PART.study == study))}
    paths = san.folder_paths(conn, {mark.folder_id for mark in marks})
    own = [(paths[mark.folder_id], mark.stamp.name, mark.sha256) in records for mark in marks]
    return [mark._replace(state="archived") if mine else mark for mark, mine in zip(marks, own, strict=True)]


TIER = Tier.HDFS
"""Where a night's parts are published."""
