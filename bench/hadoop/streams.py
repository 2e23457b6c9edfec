"""A whole exam to HDFS and back, against the same bytes through the same client in one plain stream."""

from __future__ import annotations

from collections.abc import Iterator

from bench import conversion
from bench.hadoop import bare
from bench.hadoop.place import HadoopPlace
from bench.place import Exam
from bench.rows import Goal, Row, interleaved, speed
from bench.sizes import Sizes
from sdfo.client import Archive
from sdfo.nightly.local import LocalEngine
from sdfo.sdicom import Part
from sdfo.testing.exams import study_uid

_THREADS = LocalEngine(0).threads
_GOAL = Goal("≥", 0.95)


def rows(place: HadoopPlace, sizes: Sizes) -> Iterator[Row]:
    exam = place.ct(sizes.exam)
    place.night()
    yield from _writing(place, exam, sizes.rounds)
    place.retire()
    yield from _reading(place, sizes)


def _writing(place: HadoopPlace, exam: Exam, rounds: int) -> Iterator[Row]:
    data = bare.pieces(place.store.read_all(place.part(study_uid(1))))
    ours, alone, plain = interleaved(
        rounds,
        lambda: conversion.merge(place, exam, _THREADS),
        lambda: conversion.merge(place, exam, 1),
        lambda: place.timed(lambda: bare.write_and_hash(place.store, bare.fresh(), data)),
    )
    yield speed(
        f"merge to HDFS (CT), {_THREADS} threads : the same bytes from memory, with SHA-256", ours, plain, _GOAL
    )
    yield speed("merge to HDFS (CT), one thread : the same bytes from memory", alone, plain)


def _reading(place: HadoopPlace, sizes: Sizes) -> Iterator[Row]:
    archive, path = Archive(place.loaded), place.part(study_uid(1))

    def values() -> None:
        with Part.open(place.store, path) as part:
            _complete(sum(1 for _ in part.values()), sizes)

    def exam() -> None:
        _complete(sum(1 for _ in archive.exam(study_uid(1))) - len(archive.faults), sizes)

    by_part, by_client, plain = interleaved(
        sizes.rounds,
        lambda: place.timed(values),
        lambda: place.timed(exam),
        lambda: place.timed(lambda: bare.stream_and_hash(place.store, path)),
    )
    yield speed("whole exam from HDFS (CT), opened by path : plain stream with SHA-256", by_part, plain, _GOAL)
    yield speed("whole exam from HDFS (CT), asked of the client : plain stream with SHA-256", by_client, plain, _GOAL)


def _complete(images: int, sizes: Sizes) -> None:
    if images != sizes.exam:
        raise SystemExit(f"{images} images of {sizes.exam} were read from HDFS")
