"""A converter's workplace in a folder: real SAN, real store, and the two calls in between."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from sdfo.converter import Desk, Problem, describe, merge
from sdfo.model import Description, ExamOutcome, ExamTask, PartOutcome
from sdfo.sdicom import Part, unescape_name
from sdfo.stores.local import LocalStore
from sdfo.tiers.san import San

MIB = 1024 * 1024


class Works:
    """`san` may be another class of SAN, one on which things happen."""

    folder = b"MUELLER^HANS"

    def __init__(
        self, top: Path, max_record: int = 64 * MIB, san: Callable[[str], San] = San, threads: int = 1
    ) -> None:
        self.top, self.root = top, top / "san"
        self.san, self.store = san(str(self.root)), LocalStore(top / "hdfs")
        self.san.adopt("tests")
        self.desk = Desk(self.san, self.store, "site", "attempts/run", max_record, threads)

    def path(self, name: bytes, folder: bytes | None = None) -> bytes:
        return os.path.join(os.fsencode(self.root), self.folder if folder is None else folder, name)

    def fill(self, files: Mapping[bytes, bytes], folder: bytes | None = None) -> None:
        for name, data in files.items():
            path = self.path(name, folder)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "xb") as file:
                file.write(data)

    def task(self, *, known: Iterable[tuple[str, str]] = (), home: str | None = None,
             folder: bytes | None = None) -> ExamTask:  # fmt: skip
        folder = self.folder if folder is None else folder
        return ExamTask(7, folder, San(str(self.root)).list(folder).files, tuple(known), home)

    def describe(self, task: ExamTask) -> list[Description | Problem]:
        return [describe(self.san, task.folder, stamp) for stamp in task.files]

    def convert(self, files: Mapping[bytes, bytes] | None = None, **task: object) -> ExamOutcome:
        """Fill the exam folder, describe, merge."""
        self.fill(files or {})
        todo = self.task(**task)  # type: ignore[arg-type]
        return merge(todo, self.describe(todo), self.desk)

    def part(self, part: PartOutcome) -> Part:
        return Part.open(self.store, part.attempt)

    def values(self, part: PartOutcome) -> dict[bytes, bytes]:
        """Raw names and values of an attempt that a deep check finds whole."""
        with self.part(part) as opened:
            opened.check(deep=True)
            return {unescape_name(record.name): opened.value(record) for record in opened.records}

    def written(self) -> dict[str, bytes]:
        """Every file below the store."""
        return {stat.path: self.store.read_all(stat.path) for stat in self.store.list()}


def named(part: PartOutcome) -> PartOutcome:
    """A part without what is random in it: where the attempt lies."""
    return replace(part, attempt="", apart=tuple((os.path.basename(at), name) for at, name in part.apart))


@pytest.fixture
def works(tmp_path: Path) -> Works:
    return Works(tmp_path)


@pytest.fixture(scope="session")
def works_in() -> type[Works]:
    """To make more than one, or one with another SAN or limit."""
    return Works


@pytest.fixture(scope="session")
def content() -> Callable[[Works, ExamOutcome], object]:
    """Everything that an outcome says and has written, but where and when."""

    def shown(works: Works, outcome: ExamOutcome) -> object:
        files = works.written()
        parts = [(named(p), files[p.attempt], [files[at] for at, _ in p.apart]) for p in outcome.parts]
        return parts, [(f.stamp.name, f.ordinal, f.fate, f.kind, f.study, f.sha256, f.alias) for f in outcome.files]

    return shown


@pytest.fixture(scope="session")
def limited() -> Callable[[int], AbstractContextManager[None]]:
    """A disk that is full when a file has so many bytes (RLIMIT_FSIZE of setrlimit(2): it binds root too)."""

    @contextmanager
    def limit(size: int) -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limit
