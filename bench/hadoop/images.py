"""One image of an open part, against the same positioned read of the client and SHA-256; turns change at each image."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from statistics import median, quantiles

from bench.hadoop.place import HadoopPlace
from bench.rows import Goal, Row, cost
from bench.sizes import Sizes
from sdfo.sdicom import Part


def rows(place: HadoopPlace, sizes: Sizes) -> Iterator[Row]:
    path = place.archived(place.ct(sizes.exam))
    with Part.open(place.store, path) as part:
        reader = _Reader(place, part, sizes.images)
        reader.round()
        rounds = [reader.round() for _ in range(sizes.rounds)]
    medians, slowest = ([[pick(side) for side in both] for both in rounds] for pick in (median, _p99))
    ours, bare = zip(*medians, strict=True)
    yield cost("one image from HDFS, by SOP UID : positioned read and SHA-256", "ms", ours, bare, Goal("≤", 1.10))
    ours, bare = zip(*slowest, strict=True)
    yield cost("… the slowest of 100 (p99) : that of the positioned read", "ms", ours, bare, Goal("≤", 1.20))


def _p99(taken: list[float]) -> float:
    return quantiles(taken, n=100, method="inclusive")[98]


class _Reader:
    def __init__(self, place: HadoopPlace, part: Part, images: int) -> None:
        self._part, self._images = part, images
        self._bare = place.store.client.read(place.store.at(part.path))
        self._extents = {record.sop or "": part.extent(record) for record in part.records}
        self._random = random.Random(1)

    def round(self) -> tuple[list[float], list[float]]:
        """Milliseconds of each image, on our side and on the other."""
        ours, bare = list[float](), list[float]()
        sides = [(self._ours, ours), (self._plain, bare)]
        for sop in self._random.choices(list(self._extents), k=self._images):
            for read, taken in sides:
                taken.append(_timed(read, sop))
            sides.reverse()
        return ours, bare

    def _ours(self, sop: str) -> bytes:
        return self._part.value(self._part.by_sop(sop)[0])

    def _plain(self, sop: str) -> bytes:
        extent = self._extents[sop]
        data = self._bare.read_range(extent.offset, extent.length)
        sha256(data).hexdigest()
        return data


def _timed(read: Callable[[str], bytes], sop: str) -> float:
    began = time.perf_counter()
    read(sop)
    return (time.perf_counter() - began) * 1e3
