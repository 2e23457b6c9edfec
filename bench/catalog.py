"""The breadth query over a catalog of a million exams, and a night published into it, on SQLite and on PostgreSQL."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from statistics import median, quantiles

from bench.place import Place
from bench.rows import Goal, Row, cost, interleaved
from bench.sizes import Sizes
from sdfo.catalog import Catalog, Query
from sdfo.stores.local import LocalStore
from sdfo.testing.manyexams import Exam, Many, fill, night, with_files
from sdfo.testing.postgres import postgres

SHOWN = 1000
"""What `sdfo find` shows at most, unless it is told otherwise."""
ROUNDS = 3
"""At most: nights are long."""
BATCH = 50

_MONTH = timedelta(days=30)
QUERIES: dict[str, Callable[[Exam], Query]] = {
    "a patient's id": lambda exam: Query(patient=exam.patient_id),
    "a patient's name": lambda exam: Query(patient=exam.patient_name),
    "a family name": lambda exam: Query(patient=exam.patient_name.partition("^")[0]),
    "a study": lambda exam: Query(study=exam.study),
    "a day": lambda exam: Query(since=exam.day, until=exam.day),
    "a month": lambda exam: Query(since=exam.day, until=exam.day + _MONTH),
    "a modality": lambda exam: Query(modality=exam.modality),
    "a modality and a month": lambda exam: Query(modality=exam.modality, since=exam.day, until=exam.day + _MONTH),
    "patient, modality, month": lambda exam: Query(exam.patient_id, None, exam.modality, exam.day, exam.day + _MONTH),
    "everything": lambda exam: Query(),
}


@dataclass(frozen=True, slots=True)
class Databases:
    """Makes URLs of new databases."""

    name: str
    new: Callable[[], str]


def rows(place: Place, sizes: Sizes) -> Iterator[Row]:
    numbers = iter(range(10**6))
    yield from _rows(place, sizes, Databases("SQLite", lambda: f"sqlite:///{place.top}/many-{next(numbers)}.db"))
    with postgres(durable=True) as server:
        yield from _rows(place, sizes, Databases("PostgreSQL", server.database))


def _rows(place: Place, sizes: Sizes, databases: Databases) -> Iterator[Row]:
    many = Many(sizes.catalog_exams, sizes.catalog_images)
    with _opened(place, databases.new()) as full:
        began = time.perf_counter()
        fill(full, many)
        yield Row(f"a catalog of {many.exams:,} exams filled ({databases.name})", "s", [time.perf_counter() - began])
        yield from _queries(full, many, sizes, databases.name)
        for kind, by_chance in (("UIDs as scanners give them", False), ("random UIDs", True)):
            yield _nights(place, sizes, full, databases, kind, by_chance)
    for file in place.top.glob("many-*.db*"):
        file.unlink()


@contextmanager
def _opened(place: Place, url: str) -> Iterator[Catalog]:
    with closing(Catalog(url, LocalStore(place.top / "journal"))) as catalog:
        catalog.upgrade()
        yield catalog


def _queries(full: Catalog, many: Many, sizes: Sizes, database: str) -> Iterator[Row]:
    """Of each round the median and the slowest of twenty, each query about another exam of all ten years."""
    chance = random.Random(1)
    for name, about in QUERIES.items():
        middle, slow = list[float](), list[float]()
        for _ in range(sizes.rounds):
            asked = [about(many.exam(chance.randrange(many.exams))) for _ in range(sizes.queries)]
            taken = [_asked(full, query) for query in asked]
            middle.append(median(taken))
            slow.append(quantiles(taken, n=20)[-1] if len(taken) > 1 else taken[0])
        yield Row(f"find {name} ({database}), p50", "ms", middle)
        yield Row(f"find {name} ({database}), p95", "ms", slow)


def _asked(catalog: Catalog, query: Query) -> float:
    """Milliseconds until all of the answer is there, as `sdfo find` shows it."""
    began = time.perf_counter()
    list(catalog.find(query, SHOWN))
    return (time.perf_counter() - began) * 1e3


def _nights(place: Place, sizes: Sizes, full: Catalog, databases: Databases, kind: str, by_chance: bool) -> Row:
    numbers = iter(range(1000))

    def on_top() -> float:
        return _published(full, next(numbers), sizes, by_chance)

    def into_an_empty_one() -> float:
        with _opened(place, databases.new()) as empty:
            return _published(empty, next(numbers), sizes, by_chance)

    ours, reference = interleaved(min(sizes.rounds, ROUNDS), on_top, into_an_empty_one)
    name = f"a night of {sizes.night_exams:,} exams published, {kind} ({databases.name}), into the full : into an empty one"
    return cost(name, "s", ours, reference, None if by_chance else Goal("≤", 1.5))


def _published(catalog: Catalog, number: int, sizes: Sizes, by_chance: bool) -> float:
    """Seconds, of publishing alone: the scan has noted the folders before."""
    parts = night(number, sizes.night_exams, sizes.night_images, random_uids=by_chance)
    parts = with_files(parts, [catalog.folder(part.folder) for part in parts])
    run = f"night-{number}"
    lease = catalog.take_lease("archive", run, "bench")
    began = time.perf_counter()
    for start in range(0, len(parts), BATCH):
        if any(each.state != "new" for each in catalog.publish(lease, run, parts[start : start + BATCH])):
            raise SystemExit("an exam of the bench was not published")
    taken = time.perf_counter() - began
    catalog.release(lease)
    return taken
