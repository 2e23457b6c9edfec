"""What a layout of an exam on HDFS can do, and the two that are written and read through the store's own client."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from hashlib import sha256
from typing import Protocol

from bench.bare import read
from bench.hadoop.place import HadoopPlace
from bench.place import Exam, only_part
from sdfo.nightly.local import LocalEngine
from sdfo.sdicom import Part

Image = tuple[float, str, str]
"""Seconds that it took to read it, its name, its SHA-256."""


class Layout(Protocol):
    """`path` is a store's, `names` are those of the exam's files.

    Opening counts with the first image of `whole`; `images` come out of a file whose index is in memory already.
    """

    name: str

    def at(self, path: str) -> str:
        """The absolute path of all that was written."""

    def write(self, path: str) -> None: ...
    def whole(self, path: str) -> Iterable[Image]: ...
    def images(self, path: str, names: Sequence[str]) -> Iterable[Image]: ...


class OnStore:
    def __init__(self, place: HadoopPlace, exam: Exam) -> None:
        self._place, self._store, self._exam = place, place.store, exam

    def at(self, path: str) -> str:
        return self._store.at(path)


class Sdicom(OnStore):
    """Describe, merge, and the name that `publish` gives it. Not verified: no other layout is."""

    name = "S-DICOM"

    def write(self, path: str) -> None:
        (outcome,) = LocalEngine(0).convert(self._place.job(), [self._exam.task])
        self._store.rename(only_part(outcome).attempt, path)

    def whole(self, path: str) -> Iterator[Image]:
        began = time.perf_counter()
        with Part.open(self._store, path) as part:
            for record, _ in part.values():  # its digest was compared
                yield time.perf_counter() - began, record.name, record.sha256
                began = time.perf_counter()

    def images(self, path: str, names: Sequence[str]) -> Iterator[Image]:
        with Part.open(self._store, path) as part:
            part.by_name(names[0])
            for name in names:
                began = time.perf_counter()
                record = part.by_name(name)
                part.value(record)
                yield time.perf_counter() - began, name, record.sha256


class Files(OnStore):
    """A file per image in a folder of its own."""

    name = "a file per image"

    def write(self, path: str) -> None:
        for file in self._exam.paths:
            data = read(file)
            sha256(data).hexdigest()
            with self._store.create(f"{path}/{file.name}") as sink:
                sink.write(data)

    def whole(self, path: str) -> Iterator[Image]:
        return self.images(path, [file.name for file in self._exam.paths])

    def images(self, path: str, names: Sequence[str]) -> Iterator[Image]:
        for name in names:
            began = time.perf_counter()
            with closing(self._store.open(f"{path}/{name}")) as source:
                digest = sha256(source.read(0, source.size)).hexdigest()
            yield time.perf_counter() - began, name, digest
