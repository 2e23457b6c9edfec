"""Copies go from HDFS or near-line behind the same gate, once the settings say how long they stay (by default for ever).

A part moves to `expired/<run>/` in its own store, its copy is `retired`, and after the days of grace it is deleted, if the gate
is open for it still. Between move and commit a kill leaves a file there whose copy is not retired: the next run moves it back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial

from sdfo import crashpoints
from sdfo.catalog import CopyRow, PartRow
from sdfo.conf import GIB
from sdfo.errors import Exists, Missing
from sdfo.model import Tier
from sdfo.nightly.care.faults import fault, still_there
from sdfo.nightly.care.sources import FOLDER
from sdfo.nightly.engines import Progress, silent
from sdfo.nightly.freeing import gate
from sdfo.nightly.freeing.clock import OURS, Clock
from sdfo.nightly.freeing.expire import EXPIRE, MEANWHILE, ExpireReport, Gone
from sdfo.nightly.freeing.facts import Asked, Asking, Candidate, tonight
from sdfo.nightly.freeing.gate import Night
from sdfo.nightly.freeing.tally import Tally
from sdfo.nightly.place import Place
from sdfo.nightly.turn import Turn, turn
from sdfo.stores import Store

BESIDE = "no file beside it"
"""Parts with files apart stay: another part of the exam may name the same one, and both would have to go at once."""
_PAGE = 500


def step_of(tier: Tier) -> str:
    return f"{EXPIRE}-{tier}"


def retire(
    place: Place, tier: Tier, progress: Progress = silent, *, dry_run: bool = False, clock: Clock = OURS
) -> ExpireReport:
    """Free HDFS or near-line of what may go. `dry_run`: say what would."""
    night = tonight(place, clock)
    if dry_run:
        return _Retire(place, tier, night, progress, None).run()
    place.catalog.start_run(place.run, "local")
    with turn(place, step_of(tier), lease=EXPIRE) as mine:
        found = _Retire(place, tier, night, progress, mine).run()
        mine.report = replace(found, exams=())
    place.catalog.release(mine.lease)
    return found


class _Retire:
    def __init__(self, place: Place, tier: Tier, night: Night, progress: Progress, mine: Turn | None) -> None:
        self.place, self.tier, self.night, self.progress, self.mine = place, tier, night, progress, mine
        self.store: Store = place.store if tier is Tier.HDFS else place.nearline
        self.tally = Tally()
        self.gone: list[Gone] = []
        self.size = self.removed = self.removed_bytes = self.left = 0

    def run(self) -> ExpireReport:
        if self.mine is not None:
            self._undo()
        if gate.least_days(self.place.settings.expire, self.tier) is not None:
            self._take_all()
        if self.mine is not None:
            self._delete_due()
        return self._report()

    def _take_all(self) -> None:
        most = self.place.settings.expire.gib_per_run * GIB
        for number, (part, copy) in enumerate(self._copies(), 1):
            if self.size >= most:
                self.left += 1
            else:
                self._part(part, copy)
            self.progress(number, number, "parts")

    def _copies(self) -> Iterator[tuple[PartRow, CopyRow]]:
        after = 0
        while rows := self.place.catalog.page_of_copies(self.tier, after, _PAGE):
            yield from (row for row in rows if row[1].state in ("written", "verified"))
            after = rows[-1][0].id

    def _part(self, part: PartRow, copy: CopyRow) -> None:
        asked = self._asked(part)
        lines = asked.lines or ((BESIDE,) if self.place.catalog.aparts(part.id) else ())
        if self.tally.stops(lines):
            return
        if self.mine is None or (self._may_go(part.study) and self._moved(self.mine, part, copy)):
            self.gone.append(Gone(part.study, 0, 1, copy.size))
            self.size += copy.size

    def _asked(self, part: PartRow) -> Asked:
        exam = self.place.catalog.exam_facts([part.study])[part.study]
        asking = Asking(self.place, self.night, exam)
        asked = asking.closed(Candidate(self.tier, exam.newest, part_id=part.id))
        return asked if asked.lines else asking.looked(asked)

    def _moved(self, mine: Turn, part: PartRow, copy: CopyRow) -> bool:
        try:
            self.store.rename(copy.path, f"{FOLDER}/{self.place.run}/{copy.path}")
        except Missing:
            self.tally.failed["it is not there: sdfo restore --lost"] += 1
            return False
        except Exists:
            self.tally.failed["one like it lies in its days of grace"] += 1
            return False
        crashpoints.passing("retire.renamed")
        self.place.catalog.mark_copies(mine.lease, [(part.id, self.tier, "retired", None)])
        crashpoints.passing("retire.committed")
        return True

    def _in_grace(self) -> Iterator[tuple[str, str, str, int]]:
        """Path there, run, path before, bytes."""
        for stat in list(self.store.list(FOLDER)):
            _, run, path = stat.path.split("/", 2)
            yield stat.path, run, path, stat.size

    def _undo(self) -> None:
        for there, _, path, _ in self._in_grace():
            known = self.place.catalog.copy_at(self.tier, path)
            if known is None or known[1].state != "retired":
                try:
                    self.store.rename(there, path)
                except Exists:  # made again meanwhile; what lies in its grace is an equal one
                    self.tally.failed["one like it was made again"] += 1
                    continue
                if known is not None:
                    self._prove(known[1])

    def _prove(self, copy: CopyRow) -> None:
        """A reader may have missed it meanwhile, and told so."""
        if self.mine is not None and copy.state == "damaged" and self._fault(copy) is None:
            self.place.catalog.mark_copies(self.mine.lease, [(copy.part_id, self.tier, "verified", None)])

    def _fault(self, copy: CopyRow) -> str | None:
        return fault(self.store, copy, partial(still_there, self.place, self.tier))

    def _delete_due(self) -> None:
        due = self.night.now - timedelta(days=self.place.settings.expire.grace_days)
        for there, run, path, size in self._in_grace():
            row = self.place.catalog.steps(run).get(step_of(self.tier))
            known = self.place.catalog.copy_at(self.tier, path)
            if row is None or known is None or known[1].state != "retired" or (row.ended or row.started) > due:
                continue
            lines = self._asked(known[0]).lines
            self.tally.kept.update(lines.keys())
            if lines or not self._may_go(known[0].study):
                continue
            try:
                self.store.delete(there)
            except Missing:  # a restore put it back meanwhile
                continue
            crashpoints.passing("retire.deleted")
            self.removed, self.removed_bytes = self.removed + 1, self.removed_bytes + size

    def _may_go(self, study: str) -> bool:
        """Asked last: that the store is this archive's still, the token, and whether anybody holds the exam meanwhile."""
        if self.mine is None:
            return False
        still_there(self.place, self.tier)
        if self.place.catalog.may_go(self.mine.lease, study):
            return True
        return not self.tally.stops((MEANWHILE,))

    def _report(self) -> ExpireReport:
        grace = [size for _, _, _, size in self._in_grace()]
        return ExpireReport(
            tier=self.tier,
            dry_run=self.mine is None,
            files=len(self.gone),
            bytes=self.size,
            removed=self.removed,
            removed_bytes=self.removed_bytes,
            grace=len(grace),
            grace_bytes=sum(grace),
            left=self.left,
            exams=tuple(self.gone),
            **self.tally.told(),
        )
