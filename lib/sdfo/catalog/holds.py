"""Holds: exams of which no copy on any tier is removed, whatever their age, until a person releases them.

A hold names exams by their UIDs, or a patient, and then covers what that patient has and will have. An exam that it covered
stays covered when its patient's id is corrected: it gets a row of its own in the hold. Its number is given once and is the
same after a rebuild. Where the journal has two lines with one number, the earlier died with its transaction, or the
database was put back to a day before it: nobody knows which, and both hold.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, func, or_, select, update

from sdfo.catalog import tables
from sdfo.catalog.attributes import folded
from sdfo.catalog.engine import batched, upsert
from sdfo.catalog.journal import Line, moment, stamped
from sdfo.errors import NotFound, UsageError

_HOLD, _STUDY = tables.hold.c, tables.study.c


class HoldKind(StrEnum):
    """What a hold's subjects are: Study Instance UIDs, or patients' ids."""

    STUDY = "study"
    PATIENT = "patient"


@dataclass(frozen=True, slots=True)
class Hold:
    """`released` is None while it is in force. `subjects`: those it was placed on. `exams`: how many of the archive it covers."""

    id: int
    kind: HoldKind
    subjects: tuple[str, ...]
    reason: str
    who: str
    since: datetime
    released: datetime | None = None
    released_by: str = ""
    exams: int = 0


def place(
    conn: Connection, kind: HoldKind, subjects: Sequence[str], reason: str, who: str, now: datetime
) -> tuple[int, Line]:
    """A new hold's number, and the journal's line. `UsageError` without a subject."""
    wanted = list(dict.fromkeys(filter(None, map(str.strip, subjects))))
    if not wanted:
        raise UsageError("a hold needs an exam or a patient", next_command="sdfo hold --help")
    number = conn.execute(select(func.coalesce(func.max(_HOLD.id), 0) + 1)).scalar_one()
    line = {
        "what": "hold",
        "id": number,
        "kind": str(kind),
        "subjects": wanted,
        "reason": reason,
        "who": who,
        "at": stamped(now),
    }
    keep(conn, line)
    return number, line


def keep(conn: Connection, line: Line) -> None:
    """The hold of a line. What another line has put under the same number stays beside it."""
    same = {name: line[name] for name in ("id", "kind", "reason", "who")} | {"since": moment(line["at"])}
    same |= {"released": None, "released_by": ""}
    rows = [same | {"subject": subject, "key": _keyed(line["kind"], subject)} for subject in line["subjects"]]
    for piece in batched(rows):
        statement = upsert(conn, tables.hold)
        values = {name: statement.excluded[name] for name in (*same, "key") if name != "id"}
        conn.execute(statement.on_conflict_do_update(index_elements=["id", "subject"], set_=values), piece)


def release(conn: Connection, number: int, who: str, now: datetime) -> Line | None:
    """End a hold; None if it was released before. `NotFound` if there is none of this number."""
    row = conn.execute(select(_HOLD.released).where(_HOLD.id == number).limit(1)).one_or_none()
    if row is None:
        raise NotFound("no such hold", found=number, next_command="sdfo hold")
    if row.released is not None:
        return None
    line = {"what": "release", "id": number, "who": who, "at": stamped(now)}
    let_go(conn, line)
    return line


def let_go(conn: Connection, line: Line) -> None:
    values = {"released": moment(line["at"]), "released_by": line["who"]}
    conn.execute(update(tables.hold).where(_HOLD.id == line["id"], _HOLD.released.is_(None)).values(values))


def holds(conn: Connection, *, released: bool = False) -> list[Hold]:
    """Those in force, or with `released` all, by number."""
    query = select(tables.hold).order_by(_HOLD.id, _HOLD.kind, _HOLD.subject)  # the exams of a patient come last
    found: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in conn.execute(query if released else query.where(_HOLD.released.is_(None))):
        found[row.id].append(row)
    return [_hold(conn, rows) for rows in found.values()]


def on(conn: Connection, studies: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """By study: the numbers of the holds in force that cover it; a study without one is left out."""
    found: dict[str, set[int]] = defaultdict(set)
    for piece in batched(studies):
        query = select(_STUDY.uid, _HOLD.id).join_from(tables.study, tables.hold, _covers())
        for uid, number in conn.execute(query.where(_STUDY.uid.in_(piece), _HOLD.released.is_(None))):
            found[uid].add(number)
    return {uid: tuple(sorted(numbers)) for uid, numbers in found.items()}


@contextmanager
def lasting(conn: Connection, studies: Sequence[str]) -> Iterator[None]:
    """What covers these studies does so after their attributes were changed in here, whatever their patients' ids are then."""
    before = on(conn, studies)
    yield
    after = on(conn, before)
    lost = [(uid, number) for uid, numbers in before.items() for number in set(numbers) - set(after.get(uid, ()))]
    for uid, number in lost:
        row = conn.execute(select(tables.hold).where(_HOLD.id == number).limit(1)).one()
        values = row._asdict() | {"subject": uid, "kind": str(HoldKind.STUDY), "key": uid}
        conn.execute(upsert(conn, tables.hold).values(values).on_conflict_do_nothing())


def _hold(conn: Connection, rows: Sequence[Row[Any]]) -> Hold:
    first = rows[0]
    query = select(func.count(_STUDY.uid.distinct())).join_from(tables.study, tables.hold, _covers())
    exams = conn.execute(query.where(_HOLD.id == first.id)).scalar_one()
    subjects = tuple(row.subject for row in rows if row.kind == first.kind)
    about = (first.id, HoldKind(first.kind), subjects, first.reason, first.who, first.since)
    return Hold(*about, first.released, first.released_by, exams)


def _covers() -> ColumnElement[bool]:
    """A hold and a study that it covers. Patients' ids are compared as the query compares them (attributes.py)."""
    by_study = and_(_HOLD.kind == str(HoldKind.STUDY), _HOLD.key == _STUDY.uid)
    return or_(by_study, and_(_HOLD.kind == str(HoldKind.PATIENT), _HOLD.key == _STUDY.patient_key))


def _keyed(kind: str, subject: str) -> str:
    return folded(subject) if kind == HoldKind.PATIENT else subject
