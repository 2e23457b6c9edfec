"""The year: night after night, and at the end every image that was ever acknowledged is asked back."""

from __future__ import annotations

import json
import os
import random
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path

import time_machine

from sdfo.client import Archive as Client
from sdfo.errors import NotFound
from sdfo.model import Location
from sdfo.nightly.care import drill
from sdfo.nightly.tape.recall import ask
from sdfo.nightly.tape.receiving import attend
from sdfo.testing.archive import new_archive
from sdfo.testing.year import faults as broken
from sdfo.testing.year.faults import Faults
from sdfo.testing.year.plan import Plan
from sdfo.testing.year.steps import PAUSES, Steps
from sdfo.testing.year.truth import DAY, HDFS, NEARLINE, TAPE, Image, Truth, Wrong, digest
from sdfo.testing.year.world import START, World

SAME, LOST, WRONG = "same", "lost", "wrong"
"""How an image came back at the end. What is broken before that raises `Wrong` in its night."""


@dataclass(frozen=True)
class Outcome:
    """How a year ended. `recalled`: images that were asked back from tape alone."""

    seed: int
    nights: int
    exams: int
    images: int
    acknowledged: int
    freed: int
    removed: int
    retired: int
    recalled: int
    faults: dict[str, int]
    died: dict[str, int]
    said: dict[str, int]
    lost: int
    wrong: int
    early: int

    def __str__(self) -> str:
        return (
            f"seed {self.seed}: {self.nights} nights, {self.exams} exams, {self.images} images, {self.acknowledged} acknowledged, "
            f"{self.freed} freed from the SAN, {self.removed} removed for good, {self.retired} parts freed from HDFS, "
            f"{sum(self.faults.values())} faults, {sum(self.died.values())} kills, {self.recalled} images from tape alone: "
            f"{self.lost} lost, {self.wrong} wrong, {self.early} freed too early"
        )


@contextmanager
def _lot_of_drills(lot: random.Random) -> Iterator[None]:
    """A drill draws its sample by a lot that nobody can foretell; here it is the seed's."""
    real = drill._LOT
    drill._LOT = lot  # type: ignore[assignment]
    try:
        yield
    finally:
        drill._LOT = real


class Simulation:
    """One seed is one year: the same again."""

    def __init__(self, folder: Path, plan: Plan, seed: int) -> None:
        self.plan, self.seed, self.lot = plan, seed, random.Random(seed)
        self.archive = new_archive(folder)
        self.truth = Truth(folder)
        self.world = World(plan, self.truth, self.lot)
        self.faults = Faults(self.truth, self.lot)
        self.steps = Steps(self.archive, plan, self.lot, lambda: self.clock.shift(timedelta(minutes=10)))
        self.night = self.retired = 0
        self.back = Counter[str]()
        self._pid, self._until = os.getpid(), -1

    def run(self) -> Outcome:
        with time_machine.travel(START, tick=False) as self.clock, _lot_of_drills(random.Random(self.seed)):
            for night in range(self.plan.nights):
                self.night = night
                self.clock.move_to(START + timedelta(days=self.night))
                self._day()
            recalled = self._end()
        return Outcome(
            seed=self.seed,
            nights=self.plan.nights,
            exams=len(self.world.exams),
            images=len(self.truth.images),
            acknowledged=len(self.truth.acknowledged()),
            freed=self.truth.freed,
            removed=self.truth.removed,
            retired=self.retired,
            recalled=recalled,
            faults=self.faults.counts,
            died=dict(self.steps.died),
            said=dict(self.steps.said),
            lost=self.back[LOST],
            wrong=self.back[WRONG],
            early=self.truth.early,
        )

    @property
    def now(self) -> float:
        return time.time()

    @property
    def quiet(self) -> bool:
        return self.night >= self.plan.nights - self.plan.quiet

    def _chance(self, share: float) -> bool:
        return self.lot.random() < share and not self.quiet

    # ---- one day and its night

    def _day(self) -> None:
        self.world.day(self.now)
        self.faults.settle()
        if self._chance(self.plan.fault):
            self.faults.strike()
        self._pause()
        self.clock.shift(timedelta(hours=2))
        with ExitStack() as stack:
            self._surroundings(stack)
            self._night()
            self._copies()
            self._care()
            self._free()
        self.steps.decide()

    def _pause(self) -> None:
        """Something is not done for longer than files stay on the SAN; once at a time."""
        if self.night > self._until or self.quiet:
            self.steps.paused = ()
            if self._chance(self.plan.pause):
                self.steps.paused = self.lot.choice(PAUSES)
                self._until = self.night + int(self.plan.san_days) + 3
                self.faults.count(f"{' and '.join(self.steps.paused)}: not done for long")

    def _surroundings(self, stack: ExitStack) -> None:
        """Of this night: a store that is away or full, somebody who writes where files are freed."""
        if self._chance(self.plan.away):
            which = self.lot.choice((NEARLINE, TAPE))
            stack.enter_context(broken.away(self.archive.folder / which))
            self.faults.count(f"{which}: away")
        if self._chance(self.plan.full):
            which = self.lot.choice((HDFS, NEARLINE, TAPE))
            stack.enter_context(broken.full(self.archive.folder / which, self.lot.randrange(20)))
            self.faults.count(f"{which}: full")
        if self._chance(self.plan.changed):
            stack.enter_context(broken.racing(self._race))

    def _race(self, path: str) -> None:
        if self.lot.random() < 0.5:
            file = self.truth.san.get(path)
            if file is not None and file.aside is None and os.getpid() == self._pid:
                self.world.put(self.world.another(file, self.now))
                self.faults.count("san: changed while it was freed")

    def _run(self, name: str) -> None:
        dies = self._chance(self.plan.kill / 6)
        self.steps.run(name, f"{name}-{self.night:03}", kill=dies)

    def _night(self) -> None:
        before = self.truth.count()
        self._run("night")
        self.truth.learn()
        self._acknowledge()
        self._counted(before)

    def _acknowledge(self) -> None:
        catalog = self.steps.place("look").catalog
        for image in self.truth.waiting():
            if image.sha256 in catalog.digests([image.study]).get(image.study, ()):
                self.truth.acknowledge(image, self.now)

    def _counted(self, files: int) -> None:
        """A night that calls itself good has counted every file that lay there, and archived what it had not."""
        at = self.archive.folder / HDFS / "runs" / f"night-{self.night:03}" / "report.json"
        if not at.exists():
            return
        report = json.loads(at.read_bytes())
        if not report["good"]:
            return
        if report["ledger"]["seen"] != files or report["missing"]:
            raise Wrong(f"counted in {files}, counted out {report['ledger']}")
        due = self.now - (self.plan.relist_days + 0.5) * DAY
        left = [image for image in self.truth.waiting() if not image.corrected or image.arrived < due]
        if left:
            raise Wrong(f"a good night left {len(left)} files: {report['ledger']}")

    def _copies(self) -> None:
        self._run("backup")
        self._run("stage")
        self.steps.tapes()
        self._run("stage")
        self.truth.learn(self.steps.reads_back)

    def _care(self) -> None:
        self._run("catalog-backup")
        self._run("scrub")
        if self.night % self.plan.every == 0:
            self._run("drill")
            self.steps.tapes()
            self._run("drill")
            self._run("restore")
            self._run("gc")

    def _free(self) -> None:
        self._run("expire")
        self._looked()
        if self.night % self.plan.every == 1:
            before = self._on_hdfs()
            self._run("retire")
            for part in before - self._on_hdfs():
                self.retired += 1
                self.truth.retired(part, self.now, self.plan.hdfs_days * DAY, self.faults.hidden())

    def _on_hdfs(self) -> set[str]:
        top = self.archive.folder / HDFS
        return {str(path.relative_to(top)) for path in (top / "exams").rglob("*.sdicom")}

    def _looked(self) -> None:
        least, grace = self.plan.san_days * DAY, self.plan.grace_days * DAY
        self.truth.look(self.now, least, grace, self.faults.hidden())

    # ---- the end

    def _end(self) -> int:
        """Every image as it is, then from tape alone: of each part that has a whole copy there, the others are destroyed."""
        self.steps.run("restore", "last")
        for image in self.truth.acknowledged():
            self.back[self._returned(image)] += 1
        self._fire()
        from_tape = [image for image in self.truth.acknowledged() if self.truth.whole(image.part or "") == {TAPE}]
        for image in from_tape:
            self.back[self._returned(image)] += 1
        return len(from_tape)

    def _fire(self) -> None:
        shutil.rmtree(self.archive.folder / "san")
        (self.archive.folder / "san").mkdir()
        for part in self.truth.parts:
            if TAPE in self.truth.whole(part):
                for tier in (HDFS, NEARLINE):
                    (self.archive.folder / tier / part).unlink(missing_ok=True)

    def _returned(self, image: Image) -> str:
        """How an image came back."""
        client = self._client
        try:
            found = [one for one in client.locate(image.sop) if one.sha256 == image.sha256]
            data = client.open(image.sop) if any(one.version == 0 for one in found) else client.reader.read(found)
        except NotFound as error:
            print(f"{image.sop} is lost: {error.what}")
            return LOST
        if digest(data) != image.sha256:
            print(f"{image.sop} came back as other bytes")
            return WRONG
        return SAME

    @cached_property
    def _client(self) -> Client:
        """The real one; a volume that it needs is asked for, and the library brings it."""
        client = Client(self.steps.place("client").settings)
        client.reader.recall = self._recalled
        return client

    def _recalled(self, location: Location) -> bool:
        self.clock.shift(timedelta(minutes=1))  # the journal's files are named by the microsecond
        place = self.steps.place("client")
        ask(place, location.study, [(location.path or "").partition("/")[0]])
        self.steps.tapes()
        attend(place)
        return True
