"""A part's own rows: the part, its records with their versions, its copy."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from sdfo.catalog import attributes, holds, tables
from sdfo.catalog.engine import batched, upsert
from sdfo.catalog.entries import InstanceEntry, PartEntry
from sdfo.catalog.quarantine import CONFLICT, QuarantineNote
from sdfo.catalog.types import keepable
from sdfo.catalog.versions import Claim, disputed, ranked
from sdfo.model import Kind

_PART, _RECORD = tables.part.c, tables.instance.c


def held(conn: Connection, entry: PartEntry) -> tuple[int, int] | None:
    """Id and ordinal of this very part, if it was published before."""
    this = select(_PART.id, _PART.ordinal).where(_PART.study == entry.study, _PART.check == entry.check)
    row = conn.execute(this).one_or_none()
    return None if row is None else (row.id, row.ordinal)


def add_part(conn: Connection, entry: PartEntry, ordinal: int | None) -> tuple[int, int]:
    """The part and its records; its id and its ordinal, the study's next unless given."""
    with holds.lasting(conn, [entry.study]):
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
    rows = conn.execute(select(row.uid, row.id).where(row.study == entry.study))
    return {found.uid: found.id for found in rows}


def _instance_row(part_id: int, number: int, each: InstanceEntry, series_ids: dict[str, int]) -> dict[str, Any]:
    return {
        "part_id": part_id,
        "number": number,
        "sop": each.sop,
        "series_id": series_ids[keepable(each.series)] if each.series else None,
        "kind": each.kind,
        "name": each.name,
        "offset": each.offset,
        "length": each.length,
        "sha256": each.sha256,
        "pixels": each.pixels,
        "version": 0,
        "path": each.path,
    }


def add_copy(conn: Connection, part_id: int, entry: PartEntry, verified_at: datetime | None) -> None:
    """A copy that is there keeps its state: publishing again re-reads nothing, so it heals nothing."""
    values = {
        "part_id": part_id,
        "tier": entry.tier,
        "path": entry.path,
        "size": entry.size,
        "check": entry.check,
        "codec": entry.codec,
        "form": entry.form,
        "state": "written" if verified_at is None else "verified",
        "verified_at": verified_at,
    }
    conn.execute(upsert(conn, tables.copy).values(values).on_conflict_do_nothing(index_elements=["part_id", "tier"]))


def settle_versions(conn: Connection, entry: PartEntry, ordinal: int) -> list[QuarantineNote]:
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
    query = select(_RECORD.sop, _RECORD.part_id, _PART.ordinal, _RECORD.number, _RECORD.kind, _RECORD.pixels).join_from(
        tables.part, tables.instance
    )
    found: dict[str, dict[Claim, int]] = defaultdict(dict)
    repeated = _repeated(conn, entry, ordinal)
    for piece in batched(sorted(repeated)):
        for sop, part_id, *claim in conn.execute(query.where(_PART.study == entry.study, _RECORD.sop.in_(piece))):
            found[sop][Claim(*claim)] = part_id
    return found


def _repeated(conn: Connection, entry: PartEntry, ordinal: int) -> set[str]:
    seen: set[str] = set()
    repeated: set[str] = set()
    for each in entry.instances:
        if each.sop:
            sop = keepable(each.sop)
            (repeated if sop in seen else seen).add(sop)
    if ordinal == 1 and not _has_others(conn, entry):
        return repeated
    elsewhere = select(_RECORD.sop).join_from(tables.part, tables.instance)
    elsewhere = elsewhere.where(_PART.study == entry.study, _PART.check != entry.check)
    return repeated | (seen & set(conn.execute(elsewhere).scalars()))


def _has_others(conn: Connection, entry: PartEntry) -> bool:
    others = select(_PART.id).where(_PART.study == entry.study, _PART.check != entry.check)
    return conn.execute(others.limit(1)).scalar() is not None


def damaged(entry: PartEntry) -> list[QuarantineNote]:
    """Damaged records are archived as they are, and a person looks at them."""
    return [
        _note(entry, number, each.reason or "damaged")
        for number, each in enumerate(entry.instances)
        if each.kind == Kind.DAMAGED
    ]


def _note(entry: PartEntry, number: int, reason: str) -> QuarantineNote:
    record = entry.instances[number]
    return QuarantineNote(reason, record.name, number, record.kind)
