"""What an exam costs the NameNode, everything counted, against one HDFS file per image.

A night over some exams of equal size is run in an archive of its own. What the NameNode has more after it (files, folders
and blocks: of the parts, the journal, the run's manifests and report, also what only a first night makes) is divided by
their number. To be quick the images are small, and so are the blocks, in the same proportion: a part has as many blocks
as one of 512 × 512 images has blocks of 128 MiB.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from bench.hadoop.place import HadoopPlace
from bench.place import Exam
from bench.rows import Goal, Row
from bench.sizes import Sizes
from sdfo.testing.exams import make_exam

_SIZE, _BLOCK_MIB = 96, 5
"""20 KB an image, where one of 512 × 512 has 526: a share of 1 / 26, as of the blocks."""
_DATE = "20260302"
_THREADS = 8
"""That write files side by side; one after the other they would take minutes."""


def rows(place: HadoopPlace, sizes: Sizes) -> Iterator[Row]:
    for images, exams in sizes.nights:
        inner = HadoopPlace(place.top / f"exams-of-{images}", place.hadoop, f"hdfs.block_mib = {_BLOCK_MIB}\n")
        ours, files = _of_a_night(inner, images, exams), _of_files(inner, inner.known("0"))
        name = f"NameNode objects, exam of {images:,} (of {exams} a night) : a file per image"
        goal = Goal("≥", 100) if images == 200 else None
        yield Row(name, "objects", [ours], [files], [files / ours], goal)


def _of_a_night(place: HadoopPlace, images: int, exams: int) -> float:
    for seed in range(exams):
        make_exam(place.top / "san" / str(seed), slices=images, modality="CT", seed=seed, size=_SIZE, date=_DATE)
    before = place.objects()
    place.night()
    return (place.objects() - before) / exams


def _of_files(place: HadoopPlace, exam: Exam) -> int:
    """The exam's folder, and each of its files there."""
    place.store.put("files/other/one", b"1")  # the folder above is no exam's
    before = place.objects()

    def write(number: int) -> None:
        with place.store.create(f"files/exam/{number}") as sink:
            sink.write(exam.paths[number].read_bytes())

    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(write, range(len(exam.paths))))
    return place.objects() - before
