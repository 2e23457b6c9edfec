"""A whole exam: compressed and proven on two cores, what it then takes up, and what a preview reads of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from hashlib import sha256
from pathlib import Path

import numpy as np
import zstandard

from bench import images
from bench.place import Exam, Place
from bench.rows import Goal, Row, cost, interleaved, speed
from bench.sizes import Sizes
from bench.workers import Worker, serve, together
from sdfo.dicom import attributes
from sdfo.jpeg2000 import Mask, decode, judge, open_codec
from sdfo.model import Form
from sdfo.region import Shown, find
from sdfo.sdicom import Part, Record
from sdfo.stores.local import LocalStore
from sdfo.transcoder import Recipe, transcode
from sdfo.transcoder.images import Native, Obstacle, native

PROCESSES = 2
JUDGED = 0.1
"""Share of the images that FFmpeg reads as well: ten times what `nearline.judged` is by default."""
_GOALS = {"j2k": Goal("≥", 0.95), "htj2k": Goal("≥", 0.85), "j2k-roi": None}


def rows(place: Place, sizes: Sizes) -> Iterator[Row]:
    exams = images.exams(place, sizes)
    name, exam = max(exams.items(), key=lambda each: each[1].task.size)
    path = place.archived(exam)
    for codec, goal in _GOALS.items():
        yield from _speed(place, sizes.rounds, path, codec, f"{name}, {codec}", goal)
    for name, exam in exams.items():
        yield from _sizes(place, exam, name)


def _speed(place: Place, rounds: int, path: str, codec: str, what: str, goal: Goal | None) -> Iterator[Row]:
    with ExitStack() as stack:
        workers = [stack.enter_context(_worker(place, path, codec, n)) for n in range(PROCESSES)]
        ours, bare = interleaved(
            rounds,
            lambda: place.timed(lambda: compressed(place, path, codec)),
            lambda: place.timed(lambda: together([(worker, ["go"]) for worker in workers])),
        )
    yield speed(f"an exam compressed ({what}), two cores : two processes that only encode", ours, bare, goal)


def compressed(place: Place, path: str, codec: str) -> str:
    """The part as near-line has it, as an attempt."""
    recipe = Recipe(codec, Form.CODESTREAM, JUDGED)
    with Part.open(place.store, path) as part:
        return transcode(part, place.store, "attempts/bench", recipe, PROCESSES).attempt


def _worker(place: Place, path: str, codec: str, number: int) -> Worker:
    words = [sys.executable, "-m", "bench.backup", str(place.store.root), path, codec, str(number)]
    return Worker(words, place.top / "encoders.log")


def _sizes(place: Place, exam: Exam, name: str) -> Iterator[Row]:
    part = place.archived(exam)
    attempt = compressed(place, part, "j2k-roi")
    ours = (place.store.root / attempt).stat().st_size
    zstd = sum(len(zstandard.ZstdCompressor(level=3).compress(path.read_bytes())) for path in exam.paths)
    yield cost(f"an exam on near-line ({name}) : its files, each by zstd -3", "bytes", [ours], [zstd], Goal("≤", 1))
    with Part.open(place.store, attempt) as opened:
        layered = [record for record in opened.records if record.layers]
        fetched = [sum(ends[0] for ends in record.layers or ()) for record in layered]
        whole = [record.length for record in layered]
    if layered:
        yield cost(f"preview of an image ({name}), first layer : all of it", "bytes", [sum(fetched)], [sum(whole)])


class _Encoder:
    """The reference: a share of an exam's images in memory, with their regions; each encoded, and proven as the transcoder
    proves it."""

    def __init__(self, root: str, path: str, codec: str, number: int) -> None:
        self._codec, self._recipe = open_codec(codec), Recipe(codec, Form.CODESTREAM, JUDGED)
        self._images = list[tuple[str, tuple[bytes, bytes], Native, list[Mask | None]]]()
        with Part.open(LocalStore(Path(root)), path) as part:
            for record in part.records[number::PROCESSES]:
                self._keep(record, part.value(record), part.head(record) or (b"", b""))

    def _keep(self, record: Record, value: bytes, edges: tuple[bytes, bytes]) -> None:
        with suppress(Obstacle):
            image, ds = native(record, value, edges[0]), attributes(edges[0])
            found = [find(Shown.of(ds, frame.samples, n)) for n, frame in enumerate(image.frames())]
            masks = [None if each.whole or not self._codec.takes_region else each.mask for each in found]
            self._images.append((record.sha256, edges, image, masks))

    def encode(self) -> None:
        for digest, edges, image, masks in self._images:
            pixels = list[bytes]()
            for frame, mask in zip(image.frames(), masks, strict=True):
                codestream = self._codec.encode(frame, mask).codestream
                sha256(codestream).hexdigest()
                pixels.append(image.way.bytes_of(decode(codestream)))
                if self._recipe.judges(digest) and not np.array_equal(judge(codestream).samples, frame.samples):
                    raise SystemExit("FFmpeg decoded another image")
            if sha256(b"".join((edges[0], *pixels, image.surplus, edges[1]))).hexdigest() != digest:
                raise SystemExit("an image does not come back")


if __name__ == "__main__":
    root, path, codec, number = sys.argv[1:]
    encoder = _Encoder(root, path, codec, int(number))
    serve(lambda _: encoder.encode())
