"""An exam as S-DICOM file, as a file per image, as MapFile and as HAR: written, read whole, read by the image.

The first two through the same client; the last two by Hadoop's own classes, in a JVM that was started and has done the
work once before. Every side takes the SHA-256 of each image within the time. What it read is compared with the originals.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from hashlib import sha256
from statistics import median

from bench.bare import read
from bench.hadoop import bare
from bench.hadoop.java import Har, MapFile, jvm
from bench.hadoop.layout import Files, Image, Layout, Sdicom
from bench.hadoop.place import HadoopPlace
from bench.place import Exam
from bench.rows import Row, cost, interleaved, speed
from bench.sizes import Sizes

_IMAGES = 100
"""Read one by one in a turn."""
_ROUNDS = 3
"""At most: a HAR is a MapReduce job of some 15 s, and a file per image takes seconds too."""


def rows(place: HadoopPlace, sizes: Sizes) -> Iterator[Row]:
    place.hadoop.start_yarn()
    exam, rounds = place.ct(sizes.exam), min(_ROUNDS, sizes.rounds)
    with jvm(place) as worker:
        files = Files(place, exam)
        har = Har(place, exam, worker, files)
        layouts: list[Layout] = [Sdicom(place, exam), files, MapFile(place, exam, worker), har]
        kept = [_Kept(place, layout, exam) for layout in layouts]
        yield from _objects(kept)
        yield from _rows("written", kept[:-1], interleaved(rounds, *(each.write for each in kept[:-1])))
        pair = [kept[0], kept[-1]]
        yield from _rows("written", pair, interleaved(rounds, *(each.write for each in pair), warm=True))
        yield from _rows("read whole", kept, interleaved(rounds, *(each.whole for each in kept)))
        taken = interleaved(rounds, *(each.images for each in kept))
        for each, reference in zip(kept[1:], taken[1:], strict=True):
            yield cost(f"one image: S-DICOM : {each.name}", "ms", taken[0], reference)


def _objects(kept: Sequence[_Kept]) -> Iterator[Row]:
    ours, *others = (each.objects for each in kept)
    for each, objects in zip(kept[1:], others, strict=True):
        name = f"NameNode objects of an exam: S-DICOM : {each.name}"
        yield Row(name, "objects", [ours], [objects], [objects / ours])


def _rows(what: str, kept: Sequence[_Kept], taken: Sequence[Sequence[float]]) -> Iterator[Row]:
    for each, reference in zip(kept[1:], taken[1:], strict=True):
        yield speed(f"an exam {what}: S-DICOM : {each.name}", taken[0], reference)


class _Kept:
    """A layout, and the exam written in it once."""

    def __init__(self, place: HadoopPlace, layout: Layout, exam: Exam) -> None:
        self.name, self._place, self._layout = layout.name, place, layout
        self._digests = {path.name: sha256(read(path)).hexdigest() for path in exam.paths}
        self._random = random.Random(1)
        self._path = f"kept/{type(layout).__name__.lower()}"
        layout.write(self._path)

    @property
    def objects(self) -> int:
        """Its files, folders and blocks, as fsck counts them."""
        at = self._layout.at(self._path)
        said = self._place.hadoop.home.run("fsck", at).stdout
        return sum(int(n) for n in re.findall(r"Total (?:dirs|files|blocks \(validated\)):\s*(\d+)", said))

    def write(self) -> float:
        return self._place.timed(partial(self._layout.write, bare.fresh()))

    def whole(self) -> float:
        """Seconds."""
        return sum(self._proven(self._layout.whole(self._path), len(self._digests)))

    def images(self) -> float:
        """Milliseconds, the median."""
        names = self._random.choices(list(self._digests), k=min(_IMAGES, len(self._digests)))
        return median(self._proven(self._layout.images(self._path, names), len(names))) * 1e3

    def _proven(self, found: Iterable[Image], count: int) -> list[float]:
        """The seconds; no layout that gives other bytes is compared."""
        images = [(seconds, self._digests.get(name) == digest) for seconds, name, digest in found]
        if len(images) != count or not all(right for _, right in images):
            raise SystemExit(f"{self.name} gives other bytes than the exam has")
        return [seconds for seconds, _ in images]
