"""An attempt that the store does not take is written anew, to a new name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sdfo.converter import merge
from sdfo.errors import Unavailable
from sdfo.stores import Sink
from sdfo.stores.local import LocalStore
from sdfo.testing.exams import Series

_IMAGES = list(Series("CT", 1, 16).images(3))


class _Failing(LocalStore):
    """One where the next `left` files break off while they are written, as on a cluster that loses a node."""

    left = 0
    write_retry_seconds = 5.0  # type: ignore[assignment]

    def create(self, path: str, *, private: bool = False) -> Sink:
        sink = super().create(path, private=private)
        if self.left:
            self.left -= 1
            sink.write(b"half")
            sink.abandon()
            raise Unavailable("a node died", path=path)
        return sink


def test_a_broken_attempt_is_written_anew(works) -> None:
    """Beside the garbage of the first two lies the part, whole."""
    works.fill({b"%d" % n: image for n, image in enumerate(_IMAGES)})
    store = _Failing(works.store.root)
    store.left, task = 2, works.task()
    (part,) = merge(task, works.describe(task), replace(works.desk, store=store)).parts
    sizes = {stat.path: stat.size for stat in store.list("attempts")}
    assert sorted(sizes.values()) == [4, 4, part.size]
    assert works.values(part) == {b"%d" % n: image for n, image in enumerate(_IMAGES)}


def test_files_that_lie_apart_are_written_with_it(works) -> None:
    """An attempt is one folder: what was written of it before it broke off is written again."""
    works.fill({b"large": next(Series("CT", 1, 512).images(1)), b"small": _IMAGES[0]})
    store = _Failing(works.store.root)
    store.left, task = 1, works.task()
    outcome = merge(task, works.describe(task), replace(works.desk, store=store, max_record=100_000))
    for part in outcome.parts:
        assert {path.rpartition("/")[0] for path, _ in part.apart} == {part.attempt.rpartition("/")[0]}
        assert all(store.stat(path).size > 100_000 for path, _ in part.apart)


def test_a_store_that_stays_away(works) -> None:
    """Its error comes out when the time is over."""
    works.fill({b"1": _IMAGES[0]})
    store = _Failing(works.store.root)
    store.write_retry_seconds, store.left = 0.0, 1
    task = works.task()
    with pytest.raises(Unavailable):
        merge(task, works.describe(task), replace(works.desk, store=store))
