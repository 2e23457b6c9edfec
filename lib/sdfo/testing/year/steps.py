"""A night's steps over the simulated archive, in their order; any of them may be killed, and is then run again or left."""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

from sdfo.catalog import Catalog
from sdfo.catalog.recalls import FAILED
from sdfo.catalog.volumes import DAMAGED
from sdfo.conf import Settings
from sdfo.crashpoints import NAMES
from sdfo.errors import Conflict, SdfoError
from sdfo.model import Tier
from sdfo.nightly.backup import backup
from sdfo.nightly.care.catalog_backup import catalog_backup
from sdfo.nightly.care.drill import drill
from sdfo.nightly.care.gc import gc
from sdfo.nightly.care.restore import restore
from sdfo.nightly.care.scrub import scrub
from sdfo.nightly.engines import open_engine
from sdfo.nightly.freeing.clock import Clock, Tick
from sdfo.nightly.freeing.expire import expire
from sdfo.nightly.freeing.retire import retire
from sdfo.nightly.night import night
from sdfo.nightly.place import Place
from sdfo.nightly.tape.stage import stage
from sdfo.stores.local import LocalStore
from sdfo.testing.archive import Archive
from sdfo.testing.dying import child
from sdfo.testing.year.plan import Plan
from sdfo.tiers.tape.simulate import Library

Step = Callable[[Place], object]
_REFUSED = 3
"""Exit code of a child whose step ended with an error of the archive's before it died."""


class Simulated(Clock):
    """Time that goes as the simulation says. The clocks of files are the real one, and are not asked."""

    def tick(self) -> Tick:
        now = self.now().timestamp()
        return Tick(now, "simulated", now)

    def others(self, place: Place) -> Iterator[tuple[str, datetime]]:
        yield "the catalog's clock", place.catalog.now()


CLOCK = Simulated()


def _night(place: Place) -> object:
    return night(place, "local")


def _backup(place: Place) -> object:
    with closing(open_engine("local", place.settings)) as engine:
        return backup(place, engine)


PAUSES = (("backup",), ("stage",), ("library",), ("backup", "receipts"), ("backup", "library"))
"""What may not be done for long: two steps, what the tape library does at all, and its reading back what it wrote."""

STEPS: dict[str, tuple[Step, tuple[str, ...]]] = {
    "night": (_night, ("scan", "convert", "verify", "publish", "report")),
    "backup": (_backup, ("backup", "put")),
    "stage": (stage, ("stage",)),
    "catalog-backup": (catalog_backup, ()),
    "scrub": (lambda place: scrub(place, clock=CLOCK), ("scrub", "restore", "put")),
    "drill": (drill, ("drill", "restore", "put")),
    "restore": (lambda place: restore(place, None), ("restore", "put")),
    "expire": (lambda place: expire(place, clock=CLOCK), ("expire",)),
    "retire": (lambda place: retire(place, Tier.HDFS, clock=CLOCK), ("retire",)),
    "gc": (gc, ()),
}
"""By name: the step, and what the names of its crash points begin with."""


@dataclass
class Steps:
    archive: Archive
    plan: Plan
    lot: random.Random
    settled: Callable[[], None]
    """Called between two steps: lets time pass."""
    paused: tuple[str, ...] = ()
    said: Counter[str] = field(default_factory=Counter)
    died: Counter[str] = field(default_factory=Counter)

    def place(self, run: str) -> Place:
        """One catalog for all of them: it compiles each statement once."""
        place = Place(self._settings, run)
        place.catalog = self._catalog
        return place

    @cached_property
    def _settings(self) -> Settings:
        return self.archive.settings(**self.plan.settings())

    @cached_property
    def _catalog(self) -> Catalog:
        return Place(self._settings, "all").catalog

    def library(self) -> Library:
        return Library(
            self.place("library").tape, LocalStore(self.archive.folder / "library"), reads_back=self.reads_back
        )

    @property
    def reads_back(self) -> bool:
        return "receipts" not in self.paused

    def tapes(self) -> None:
        if "library" in self.paused:
            return
        try:
            self.library().once()
        except SdfoError as error:
            self.said[f"library: {error.what}"] += 1

    def run(self, name: str, run: str, kill: bool = False) -> None:
        """Do a step, or die in it; one that died is mostly begun again, and else left to the next night."""
        if name in self.paused:
            return
        if kill and self._dies(name, run) and self.lot.random() < 0.3:
            return
        work, _ = STEPS[name]
        place = self.place(run)
        try:
            work(place)
        except SdfoError as error:
            self.said[f"{name}: {type(error).__name__}: {error.what[:80]}"] += 1
        self.settled()

    def _dies(self, name: str, run: str) -> bool:
        """In a child, at one of the step's crash points. Whether it came there; else the step is done."""
        work, begin = STEPS[name]
        points = [point for point in NAMES if point.partition(".")[0] in begin]
        if not points:
            return False
        point = f"{self.lot.choice(points)}:{self.lot.choice((1, 1, 2, 3))}"
        self._catalog.close()  # no connection goes into the child

        def dying() -> None:
            os.environ["SDFO_CRASH_AT"] = point
            try:
                work(self.place(run))
            except SdfoError:
                os._exit(_REFUSED)

        code = child(dying)
        self.settled()
        if code == -signal.SIGKILL:
            self.died[point.partition(":")[0]] += 1
        elif code not in (0, _REFUSED):
            raise RuntimeError(f"step {name} of {run} ended with {code}")
        return code == -signal.SIGKILL

    # ---- the operator

    def decide(self) -> None:
        """What a person does in the morning: accept what may be, release the rest; give up tapes that nobody finds."""
        place = self.place("operator")
        for entry in place.catalog.quarantine():
            try:
                place.catalog.resolve_quarantine(entry.id, "accepted" if entry.kind is None else "released")
            except Conflict:
                place.catalog.resolve_quarantine(entry.id, "released")
            self.said[f"quarantine: {entry.kind}: {entry.reason.split(':')[0][:40]}"] += 1
        for recall in place.catalog.recalls(FAILED, most=3):
            for name in recall.volumes:
                row = place.catalog.volume(name)
                if row.state != DAMAGED and not (self.archive.folder / "library" / f"{name}.tar").exists():
                    place.catalog.keep_volume(replace(row, state=DAMAGED), f"volume {name} was given up")
                    self.said["tape lost"] += 1
