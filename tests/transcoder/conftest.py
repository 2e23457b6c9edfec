"""Parts of any files, and what a transcoding makes of them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from sdfo.sdicom import Part, described, in_order, plan, write
from sdfo.stores.local import LocalStore
from sdfo.transcoder import Recipe, Transcoded, transcode

STUDY = "1.2.826.0.1.3680043.8.498.9"


@dataclass(frozen=True)
class Bench:
    """A store, and parts in it."""

    store: LocalStore

    @contextmanager
    def part(self, files: Mapping[str, bytes]) -> Iterator[Part]:
        """An S-DICOM file of these, as the night would write it; names as the index has them."""
        path = f"exams/2024/01/{secrets.token_hex(6)}.sdicom"
        records = [described(name, data) for name, data in files.items()]
        held = [record for record in in_order(records) if record.head is not None]
        heads = (_edges(files[each.name], each.head or 0, each.tail or 0) for each in held)
        planned = plan(STUDY, b"exam", records, heads)
        with self.store.create(path) as sink:
            write(sink, planned, ([files[record.name]] for record in planned.records))
        with Part.open(self.store, path) as part:
            yield part

    @contextmanager
    def transcoded(self, files: Mapping[str, bytes], recipe: Recipe) -> Iterator[tuple[Transcoded, Part]]:
        """The same with another codec, opened."""
        with self.part(files) as part:
            done = transcode(part, self.store, "attempts/r1", recipe)
        with Part.open(self.store, done.attempt) as made:
            yield done, made


def _edges(data: bytes, head: int, tail: int) -> bytes:
    return data[:head] + data[len(data) - tail :]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(LocalStore(tmp_path))


@pytest.fixture(scope="module")
def shared_bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """One for a module whose tests look at the same transcoding."""
    return Bench(LocalStore(tmp_path_factory.mktemp("bench")))
