"""The catalog against what lies on the tiers, both ways. Nothing is changed: a person decides, or `restore` and `rebuild` do.

Both sides come in the order of their paths and are gone through together, so memory does not grow with the archive. A night
may publish meanwhile: what differs is looked at once more before it is told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from sdfo.catalog import expecting
from sdfo.catalog.expecting import DAMAGED, RETIRED, Expected
from sdfo.errors import FormatError, Missing
from sdfo.model import Tier
from sdfo.nightly.engines import Progress, silent
from sdfo.nightly.place import Place
from sdfo.sdicom import Part
from sdfo.stores import Store
from sdfo.tiers.tape import MANIFESTS, contents, volume_of

EXAMS = "exams"
MISSING, UNKNOWN, SIZE, CHECK = "missing", "unknown", "another size", "another check"


@dataclass(frozen=True, slots=True)
class Difference:
    """`missing`: the catalog has it, the tier has not. `unknown`: the other way round."""

    tier: str
    what: str
    path: str
    expected: str | None = None
    found: str | None = None
    study: str | None = None


@dataclass(frozen=True, slots=True)
class There:
    """A file that lies on a tier, or that the manifest of a volume has; that one tells its check, too, and of which `part`
    it is a copy (study, check)."""

    path: str
    size: int
    check: str | None = None
    part: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class TierCompared:
    """Files that the catalog expects, files that are there. `damaged`: known to be, and so not compared."""

    tier: str
    expected: int = 0
    files: int = 0
    damaged: int = 0


@dataclass(frozen=True, slots=True)
class CompareReport:
    """`differ` counts all of them by tier and kind; `rows` has the first of them."""

    tiers: tuple[TierCompared, ...] = ()
    differ: dict[str, int] = field(default_factory=dict)
    rows: tuple[Difference, ...] = ()

    @property
    def equal(self) -> bool:
        return not self.differ


def compare(
    place: Place, tiers: Iterable[Tier], progress: Progress = silent, *, checks: bool = False, most: int | None = None
) -> CompareReport:
    """`checks`: open each S-DICOM file and compare the check in its header. Else sizes, by listing alone, and the names,
    which hold the first 16 digits. `most`: rows to name; all are counted."""
    counts, differ, rows = list[TierCompared](), Counter[str](), list[Difference]()
    for tier in tiers:
        walk = _Walk(place, tier, checks, progress)
        for found in walk.differences():
            differ[f"{tier}: {found.what}"] += 1
            if most is None or len(rows) < most:
                rows.append(found)
        counts.append(TierCompared(tier, walk.expected, walk.files, walk.damaged))
    return CompareReport(tuple(counts), dict(differ), tuple(rows))


class _Walk:
    """One tier."""

    def __init__(self, place: Place, tier: Tier, checks: bool, progress: Progress) -> None:
        self.place, self.tier, self.checks, self.progress = place, tier, checks, progress
        self.store = _store(place, tier)
        self.expected = self.files = self.damaged = 0

    def differences(self) -> Iterator[Difference]:
        with self.place.catalog.database.read() as conn:
            for ours, there in _paired(expecting.expected(conn, self.tier), self._listed()):
                self._count(ours, there)
                found = self._difference(ours, there)
                if found is not None and self._once_more(found.path) is not None:
                    yield found

    def _listed(self) -> Iterator[There]:
        if self.tier is Tier.TAPE:
            return on_tape(self.store)
        return (There(stat.path, stat.size) for stat in self.store.list(EXAMS))

    def _count(self, ours: Expected | None, there: There | None) -> None:
        self.expected += ours is not None and ours.state not in (RETIRED, DAMAGED)
        self.damaged += ours is not None and ours.state == DAMAGED
        self.files += there is not None
        if self.files % 10_000 == 0:
            self.progress(self.files, max(self.files, self.expected), f"files on {self.tier}")

    def _difference(self, ours: Expected | None, there: There | None) -> Difference | None:
        if ours is None:
            if there is None or self._is_elsewhere(there):
                return None
            return Difference(self.tier, UNKNOWN, there.path, found=f"{there.size} bytes")
        if ours.state in (RETIRED, DAMAGED):
            return None
        if there is None:
            return self._of(ours, MISSING, f"{ours.size} bytes", None)
        if there.size != ours.size:
            return self._of(ours, SIZE, f"{ours.size} bytes", f"{there.size} bytes")
        found = self._check(ours, there)
        return None if found is None else self._of(ours, CHECK, ours.check, found)

    def _is_elsewhere(self, there: There) -> bool:
        """What was given up of a volume that we know stays in its manifest: the part lies on another one now."""
        catalog, volume = self.place.catalog, there.path.partition("/")[0]
        if there.part is None or volume not in {row.name for row in catalog.volumes()}:
            return False
        study, check = there.part
        parts = [part for part in catalog.parts(study) if part.check == check]
        return any(copy.tier is Tier.TAPE for part in parts for copy in catalog.copies(part.id))

    def _of(self, ours: Expected, what: str, expected: str | None, found: str | None) -> Difference:
        return Difference(self.tier, what, ours.path, expected, found, ours.study)

    def _check(self, ours: Expected, there: There) -> str | None:
        """What is told there instead of the check that is expected; None where it is the same, or there is none."""
        if ours.check is None:
            return None
        named = PurePosixPath(ours.path).stem.rpartition("-")[2]
        if named != ours.check[:16]:
            return named
        if there.check is not None:
            return None if there.check == ours.check else there.check
        return self._header(ours.path, ours.check) if self.checks else None

    def _header(self, path: str, check: str) -> str | None:
        try:
            with Part.open(self.store, path) as part:
                return None if part.check_digest == check else part.check_digest
        except FormatError as error:
            return f"no S-DICOM file: {error.what}"
        except Missing:
            return "gone meanwhile"

    def _once_more(self, path: str) -> Difference | None:
        """What differs at this path now, by a new look at both sides."""
        with self.place.catalog.database.read() as conn:
            ours = expecting.expected_at(conn, self.tier, path)
        return self._difference(ours, self._there(path))

    def _there(self, path: str) -> There | None:
        if self.tier is Tier.TAPE:
            volume = path.partition("/")[0]
            return next((each for each in on_tape(self.store, volume) if each.path == path), None)
        try:
            return There(path, self.store.stat(path).size)
        except Missing:
            return None


def _store(place: Place, tier: Tier) -> Store:
    if tier is Tier.TAPE:
        return place.tape
    return place.store if tier is Tier.HDFS else place.nearline


def on_tape(store: Store, volume: str | None = None) -> Iterator[There]:
    """The parts on all volumes there ever were, or on one, by the manifests that the staging area keeps of them. One that cannot
    be read tells of none."""
    for stat in store.list(MANIFESTS):
        name = volume_of(stat.path, MANIFESTS, ".json")
        if name is not None and volume in (None, name):
            try:
                entries = contents.decode(store.read_all(stat.path), stat.path).parts
            except FormatError:
                continue
            parts = [
                There(f"{name}/{entry.path}", entry.size, entry.check, (entry.study, entry.part or ""))
                for entry in entries
            ]
            yield from sorted(parts, key=lambda each: each.path)


def tiers(place: Place) -> list[Tier]:
    """Those that this archive has."""
    return [Tier.HDFS] + [Tier.NEARLINE] * place.has_nearline + [Tier.TAPE] * place.has_tape


def _paired(known: Iterable[Expected], there: Iterable[There]) -> Iterator[tuple[Expected | None, There | None]]:
    """Both sides by path; what one side has alone, with None."""
    ours, theirs = iter(known), iter(there)
    left, right = next(ours, None), next(theirs, None)
    while left is not None or right is not None:
        if right is None or (left is not None and left.path < right.path):
            yield left, None
            left = next(ours, None)
        elif left is None or right.path < left.path:
            yield None, right
            right = next(theirs, None)
        else:
            yield left, right
            left, right = next(ours, None), next(theirs, None)
