"""One image: the region first against plain lossless, by the time on one core and by the size; and cutting at a layer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from bench.images import Slice, exams, slices
from bench.place import Place
from bench.rows import Goal, Row, cost, interleaved
from bench.sizes import Sizes
from sdfo.jpeg2000 import Encoded, Image, Mask, cut, open_codec

IMAGES = 8
"""Of each exam."""
_CUTS = 100

_Encode = Callable[[Image, Mask | None], Encoded]
_Regions = Callable[[Slice], Mask | None]


def rows(place: Place, sizes: Sizes) -> Iterator[Row]:
    roi, plain = open_codec("j2k-roi").encode, open_codec("j2k").encode
    for name, exam in exams(place, sizes).items():
        images = slices(exam, IMAGES)
        sides = ((roi, _body), (roi, _circle), (plain, _none))
        ours, circles, bare = interleaved(
            sizes.rounds, *(partial(_each, images, encode, region) for encode, region in sides)
        )
        goal = Goal("≤", 1.6)
        yield cost(f"region first ({name}, body), one core : plain lossless", "ms", ours, bare, goal)
        yield cost(f"region first ({name}, circle of 20 mm), one core : plain lossless", "ms", circles, bare, goal)
        yield from _sizes(name, images, roi, plain)
    yield from _cut(images, roi, sizes.rounds)


def _body(each: Slice) -> Mask | None:
    return each.body


def _circle(each: Slice) -> Mask | None:
    return each.circle


def _none(each: Slice) -> Mask | None:
    return None


def _each(images: Sequence[Slice], encode: _Encode, region: _Regions) -> float:
    """Milliseconds an image."""
    began = time.perf_counter()
    for each in images:
        encode(each.image, region(each))
    return (time.perf_counter() - began) * 1e3 / len(images)


def _sizes(name: str, images: Sequence[Slice], roi: _Encode, plain: _Encode) -> Iterator[Row]:
    bare = sum(len(plain(each.image, None).codestream) for each in images)
    for what, region in (("body", _body), ("circle of 20 mm", _circle)):
        ours = sum(len(roi(each.image, region(each)).codestream) for each in images)
        yield cost(f"size, region first ({name}, {what}) : plain lossless", "bytes", [ours], [bare], Goal("≤", 1.09))


def _cut(images: Sequence[Slice], roi: _Encode, rounds: int) -> Iterator[Row]:
    coded = roi(images[0].image, images[0].body)

    def one() -> float:
        began = time.perf_counter()
        for _ in range(_CUTS):
            cut(coded.codestream, coded.layers, 1)
        return (time.perf_counter() - began) * 1e3 / _CUTS

    yield Row("cutting a codestream at its first layer", "ms", interleaved(rounds, one)[0], goal=Goal("≤", 1.0))
