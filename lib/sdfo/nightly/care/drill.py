"""Drill: a few parts, drawn by lot, are restored from near-line and from tape into a scratch folder, and compared with what
was received: every file there has the digest that the catalog kept when it was archived. What was never restored is no backup.

What does not come back is told, and mended as by a scrub; the delete gate stays shut until a drill ends well.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import SystemRandom

from sdfo import crashpoints
from sdfo.catalog import CopyRow, PartRow
from sdfo.catalog.recalls import DONE, WAITING
from sdfo.catalog.volumes import DAMAGED, VERIFIED, WRITTEN
from sdfo.errors import FormatError, Missing, OutOfRange
from sdfo.model import Tier
from sdfo.nightly.care.faults import still_there
from sdfo.nightly.care.scrub import mended
from sdfo.nightly.engines import Progress, silent
from sdfo.nightly.freeing.facts import DRILL
from sdfo.nightly.place import Place
from sdfo.nightly.summary import Damage
from sdfo.nightly.tape.recall import ask, away, wait
from sdfo.nightly.turn import Turn, turn
from sdfo.sdicom import Part
from sdfo.stores import Store
from sdfo.stores.local import LocalStore
from sdfo.tiers.tape.reading import TapeStore
from sdfo.transcoder import restore as transcode_back

_LOT = SystemRandom()


@dataclass(frozen=True, slots=True)
class DrillReport:
    """`nearline`, `tape`: parts that came back whole; `files` and `bytes` of them, as received. `asked`: a volume that did not
    come in time. `green`: something was restored from every tier that has copies, and all of it is right."""

    green: bool
    nearline: int = 0
    tape: int = 0
    files: int = 0
    bytes: int = 0
    failed: int = 0
    asked: str = ""
    rows: tuple[Damage, ...] = ()


def drill(place: Place, progress: Progress = silent, *, waits: bool = False) -> DrillReport:
    """Restore a sample. `waits`: until the tape system has brought its volume; without, a volume that is away is asked for, and
    the drill is red until one comes."""
    place.catalog.start_run(place.run, "local")
    with turn(place, DRILL, lease=DRILL) as mine:
        step = _Drill(place, mine, progress, waits)
        step.work()
        found = step.report(tuple(mended(place, step.bad)))
        mine.report = replace(found, rows=found.rows[:100])
    place.catalog.release(mine.lease)
    return found


class _Drill:
    def __init__(self, place: Place, mine: Turn, progress: Progress, waits: bool) -> None:
        self.place, self.mine, self.progress, self.waits = place, mine, progress, waits
        self.most = place.settings.expire.drill_parts
        self.bad: list[tuple[PartRow, CopyRow, str]] = []
        self.good: dict[Tier, int] = {}
        self.wanted: list[Tier] = []
        self.files = self.size = 0
        self.asked = ""

    def work(self) -> None:
        near = self.place.catalog.some_copies(Tier.NEARLINE, self.most, _LOT) if self.place.has_nearline else []
        if near:
            self._tier(Tier.NEARLINE, self.place.nearline, near)
        on_tape = self.place.catalog.some_copies(Tier.TAPE, 1, _LOT) if self.place.has_tape else []
        if on_tape:
            self._tape(on_tape[0])

    def _tape(self, chosen: tuple[PartRow, CopyRow]) -> None:
        """One volume, drawn by lot by one of its parts, and a sample of what is on it: each further one is another mount."""
        part, copy = chosen
        volume, self.good[Tier.TAPE] = copy.path.partition("/")[0], 0
        self.wanted.append(Tier.TAPE)
        if away(self.place, [volume]):
            row = ask(self.place, part.study, [volume])
            row = wait(self.place, row.id, self.progress) if self.waits and row.state == WAITING else row
            if row.state != DONE:
                self.asked = volume
                return
        found = self.place.catalog.on_volume(volume)
        self.bad += [
            (*each, "found to be damaged when its volume came back") for each in found if each[1].state == DAMAGED
        ]
        on = [each for each in found if each[1].state in (WRITTEN, VERIFIED)]
        self._tier(Tier.TAPE, TapeStore(self.place.tape).volume(volume), _LOT.sample(on, min(self.most, len(on))))

    def _tier(self, tier: Tier, store: Store, sample: list[tuple[PartRow, CopyRow]]) -> None:
        self.wanted += [tier] if tier not in self.wanted else []
        for number, (part, copy) in enumerate(sample, 1):
            self.mine.check()
            path = copy.path.partition("/")[2] if tier is Tier.TAPE else copy.path
            why = self._tried(store, path, part)
            if why is not None:
                still_there(self.place, tier)  # what is away is not lost
            if why is None:
                self.good[tier] = self.good.get(tier, 0) + 1
            else:
                self.bad.append((part, copy, why))
            self.place.catalog.mark_copies(
                self.mine.lease, [(part.id, tier, "verified" if why is None else "damaged", why)]
            )
            crashpoints.passing("drill.restored")
            self.progress(number, len(sample), f"parts from {tier}")

    def _tried(self, store: Store, path: str, part: PartRow) -> str | None:
        """Why a part does not come back; None if it does, to the last bit."""
        with tempfile.TemporaryDirectory(prefix="sdfo-drill-") as folder:
            try:
                digests, size = restored(store, path, part, LocalStore(folder))
            except (FormatError, Missing, OutOfRange) as error:
                return error.what
        if digests != self.place.catalog.originals(part.id):
            return "what came back is not what was received"
        self.files += len(digests)
        self.size += size
        return None

    def report(self, rows: tuple[Damage, ...]) -> DrillReport:
        whole = bool(self.wanted) and all(self.good.get(tier) for tier in self.wanted)
        return DrillReport(
            green=whole and not self.bad and not self.asked,
            nearline=self.good.get(Tier.NEARLINE, 0),
            tape=self.good.get(Tier.TAPE, 0),
            files=self.files,
            bytes=self.size,
            failed=len(self.bad),
            asked=self.asked,
            rows=rows,
        )


def restored(store: Store, path: str, part: PartRow, scratch: LocalStore) -> tuple[list[str], int]:
    """Write a part as it was published to `scratch`, read that again, and give the SHA-256 of each file in it, and their bytes.

    `SdicomError` if it does not come out as published.
    """
    with Part.open(store, path) as source:
        done = transcode_back(source, scratch, "restored", part.check)
    for old, new in (*done.apart, (done.attempt, done.path)):
        scratch.rename(old, new)
    with Part.open(scratch, done.path) as again:
        absent = again.check(deep=True).absent
        if absent:
            raise Missing("a file that belongs beside it did not come back", path=absent[0])
        found = list(_digests(again))
        return sorted(digest for digest, _ in found), sum(size for _, size in found)


def _digests(part: Part) -> Iterator[tuple[str, int]]:
    for item in (*part.records, *part.aparts):
        yield (item.original.sha256, item.original.length) if item.original else (item.sha256, item.length)
