"""What the gate is told: gathered from the catalog, the stores and the clocks, once a run or once an exam."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from sdfo.catalog import CopyRow, ExamFacts
from sdfo.catalog.freeing import APART, SHUT
from sdfo.errors import FormatError, Missing, OutOfRange, SdfoError
from sdfo.model import Tier
from sdfo.nightly.freeing import gate
from sdfo.nightly.freeing.clock import Clock, doubt
from sdfo.nightly.freeing.gate import CopyFact, Facts, Night
from sdfo.nightly.place import Place
from sdfo.sdicom import Part
from sdfo.stores import Store

CATALOG_BACKUP, DRILL = "catalog-backup", "drill"
"""Steps whose outcomes are lines of the gate."""


def tonight(place: Place, clock: Clock) -> Night:
    """What is the same for all exams of a run."""
    until = clock.now() + APART
    drill = place.catalog.last_ended(DRILL, until)
    shut = place.catalog.gate_marks().get(SHUT)
    return Night(
        now=clock.now(),
        catalog_backup=_backed_up(place, until),
        drill=None if drill is None else drill.ended,
        drill_green=drill is not None and drill.state == "done" and drill.report.get("green") is True,
        replication=_replication(place.store),
        clock=doubt(place, clock),
        shut=None if shut is None else shut[0],
    )


def _backed_up(place: Place, until: datetime) -> datetime | None:
    """When the catalog was backed up last; None where that backup does not lie on HDFS any more, whole by its length."""
    found = place.catalog.last_step(CATALOG_BACKUP, "done", until)
    if found is None:
        return None
    path, size = (found[1].report.get(name) for name in ("path", "bytes"))
    try:
        whole = path is None or place.store.stat(path).size == size
    except Missing:
        whole = False
    return found[1].ended if whole else None


def _replication(store: Store) -> str | None:
    try:
        return store.at_risk()
    except SdfoError as error:
        return f"nobody tells: {error.what}"


@dataclass(frozen=True, slots=True)
class Candidate:
    """What may go: a SAN file, by its digest, or (None) a whole part, `part_id`."""

    tier: Tier
    first_seen: datetime | None
    sha256: str | None = None
    part_id: int | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A candidate with its facts, and the lines of the gate that are not true, each with why not."""

    what: Candidate
    part_id: int
    facts: Facts
    lines: dict[str, str]


class Asking:
    """The facts of candidates of one exam. Each copy is looked at once."""

    def __init__(self, place: Place, night: Night, exam: ExamFacts) -> None:
        self.place, self.night, self.exam = place, night, exam
        self._seen: dict[tuple[int, Tier], tuple[str | None, frozenset[str]]] = {}

    def closed(self, what: Candidate) -> Asked:
        """The lines that are not true, without reading anything. If several parts hold the file, of the one for which it looks
        best."""
        found = [(part_id, self._facts(what, part_id)) for part_id in self._parts(what)] or [
            (0, self._facts(what, None))
        ]
        asked = [Asked(what, part_id, facts, gate.closed(facts, dear=False)) for part_id, facts in found]
        return min(asked, key=lambda each: len(each.lines))

    def _parts(self, what: Candidate) -> Iterable[int]:
        if what.part_id is not None:
            return (what.part_id,)
        return self.exam.holding.get(what.sha256 or "", ())

    def _facts(self, what: Candidate, part_id: int | None) -> Facts:
        rows = self.exam.copies.get(part_id, ()) if part_id is not None else ()
        return Facts(
            tier=what.tier,
            night=self.night,
            terms=gate.terms(self.place.settings.expire, what.tier, self.exam.modalities),
            first_seen=what.first_seen,
            study_date=self.exam.date,
            published=part_id is not None,
            copies=tuple(
                CopyFact(row.tier, row.state, row.verified_at)
                for row in rows
                if row.tier is not what.tier and row.state != "retired"
            ),
            holds=self.exam.holds,
            entries=self.exam.entries,
        )

    def looked(self, asked: Asked, changed: str | None = None) -> Asked:
        """The same, once the copies that stay were looked at: each lies in its store, and its own index names the file.
        `changed`: what reading the file that is to go has shown."""
        rows = {row.tier: row for row in self.exam.copies.get(asked.part_id, ())}
        copies = tuple(
            replace(copy, fault=self._fault(rows[copy.tier], asked.what.sha256)) for copy in asked.facts.copies
        )
        facts = replace(asked.facts, copies=copies, changed=changed)
        return replace(asked, facts=facts, lines=gate.closed(facts))

    def _fault(self, row: CopyRow, sha256: str | None) -> str | None:
        """Tapes are not looked at: their receipts are in the catalog."""
        if row.tier is Tier.TAPE or row.state != "verified":
            return None
        this = (row.part_id, row.tier)
        if this not in self._seen:
            self._seen[this] = look(self.place.store if row.tier is Tier.HDFS else self.place.nearline, row)
        fault, digests = self._seen[this]
        return fault or ("it does not hold the file" if sha256 is not None and sha256 not in digests else None)


def look(store: Store, copy: CopyRow) -> tuple[str | None, frozenset[str]]:
    """What is wrong with a copy's header and with what lies beside it, and the SHA-256 of each original that it holds."""
    try:
        with Part.open(store, copy.path) as part:
            if (part.check_digest, part.size) != (copy.check, copy.size):
                return "another file lies at its name", frozenset()
            if part.check().absent:
                return "a file that belongs beside it is missing", frozenset()
            items = (*part.records, *part.aparts)
            return None, frozenset(item.original.sha256 if item.original else item.sha256 for item in items)
    except (FormatError, Missing, OutOfRange) as error:
        return error.what, frozenset()
