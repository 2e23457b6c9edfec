"""Reading one image, with the index in memory, against the same read and hash; and the first image of a file."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from hashlib import sha256
from statistics import median

from bench.place import Place
from bench.rows import Goal, Row, cost, divided, interleaved
from bench.sizes import Sizes
from sdfo.model import Extent
from sdfo.sdicom import Part

IMAGES = 100
"""Images read in one turn, spread over the exam."""


def rows(place: Place, sizes: Sizes) -> Iterator[Row]:
    few, many = sizes.one_image
    with ExitStack() as stack:
        sides = list[Callable[[], float]]()
        for count in sizes.one_image:
            path = place.archived(place.ct(count))
            part = stack.enter_context(Part.open(place.store, path))
            reader = _Reader(part, stack.enter_context(open(place.store.root / path, "rb")).fileno())
            sides += [reader.ours, reader.bare]
        ours_few, bare_few, ours_many, bare_many = interleaved(sizes.rounds, *sides)
    goal = Goal("≤", 1.15)
    yield cost(f"one image of {few:,}, by SOP UID : pread and SHA-256", "ms", ours_few, bare_few, goal)
    yield cost(f"one image of {many:,}, by SOP UID : pread and SHA-256", "ms", ours_many, bare_many, goal)
    per_reference = divided(ours_many, bare_many), divided(ours_few, bare_few)
    name = f"one image of {many:,} : one image of {few:,}, each against its own pread"
    yield Row(name, "×", *per_reference, divided(*per_reference), Goal("≤", 1.05))
    yield from _first_image(place, sizes)


class _Reader:
    """Some images of an open part, and where they lie."""

    def __init__(self, part: Part, fd: int) -> None:
        self._part, self._fd = part, fd
        step = max(1, len(part.records) // IMAGES)
        records = part.records[::step][:IMAGES]
        self._sops = [record.sop or "" for record in records]
        self._places: list[Extent] = [part.extent(record) for record in records]

    def ours(self) -> float:
        return self._timed(lambda n: self._part.value(self._part.by_sop(self._sops[n])[0]))

    def bare(self) -> float:
        def pread_and_hash(n: int) -> bytes:
            data = os.pread(self._fd, self._places[n].length, self._places[n].offset)
            sha256(data).hexdigest()
            return data

        return self._timed(pread_and_hash)

    def _timed(self, read: Callable[[int], bytes]) -> float:
        """Milliseconds of one image, the median of this turn's: a reader waits for one, not for the sum."""
        taken = []
        for n in range(len(self._sops)):
            began = time.perf_counter()
            read(n)
            taken.append(time.perf_counter() - began)
        return median(taken) * 1e3


def _first_image(place: Place, sizes: Sizes) -> Iterator[Row]:
    """Opening a file, reading and proving its header, then one image by SOP UID; images of 32 KB."""
    exams = [(count, place.archived(place.ct(count, size=128))) for count in sizes.first_image]
    sides = [lambda p=path: _opened(place, p) for _, path in exams]
    for (count, _), taken in zip(exams, interleaved(sizes.rounds, *sides), strict=True):
        yield Row(f"first image of a file of {count:,}", "ms", taken)


def _opened(place: Place, path: str) -> float:
    with Part.open(place.store, path) as part:
        sop = part.records[len(part.records) // 2].sop or ""
    began = time.perf_counter()
    with Part.open(place.store, path) as part:
        part.value(part.by_sop(sop)[0])
    return (time.perf_counter() - began) * 1e3
