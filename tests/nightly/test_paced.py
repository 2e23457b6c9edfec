"""An engine that reads no faster than it may does the same work, in pieces."""

from __future__ import annotations

from contextlib import closing

import pytest

from sdfo.model import ExamTask
from sdfo.nightly.engines import open_engine
from sdfo.nightly.paced import Paced
from sdfo.nightly.scan import TASKS, scan
from sdfo.testing.exams import make_exam


@pytest.fixture
def tasks(archive):
    """Four exams of one size."""
    for seed in range(4):
        make_exam(archive.san / f"exam{seed}", slices=2, modality="CT", seed=seed, size=16)
    place = archive.place()
    place.catalog.start_run("r1", "local")
    scan(place)
    return place.read(TASKS, ExamTask, "scan")


def test_it_pauses_after_each_minutes_worth(archive, tasks):
    """Twice the bytes of a piece, divided by the rate, less the time that it took; no piece is longer than a minute of that."""
    pauses, counts = list[float](), list[int]()
    with closing(open_engine("local", archive.settings())) as engine:
        plain = engine.convert(archive.place().job, tasks)
        paced = Paced(engine, 4 * tasks[0].size / 60, pauses.append)
        done = paced.convert(archive.place().job, tasks, lambda n, total, what: counts.append(n))
    assert [[part.check for part in each.parts] for each in done] == [
        [part.check for part in each.parts] for each in plain
    ]
    assert pauses == [pytest.approx(60, abs=5)] * 2
    assert counts == [1, 2, 3, 4]


def test_an_exam_larger_than_a_minute_is_a_piece_of_its_own(archive, tasks):
    """And the pause after it is as long as it should have taken."""
    pauses = list[float]()
    with closing(open_engine("local", archive.settings())) as engine:
        Paced(engine, tasks[0].size / 300, pauses.append).convert(archive.place().job, tasks[:2])
    assert pauses == [pytest.approx(600, abs=5)] * 2


def test_no_pause_where_the_engine_is_slower(archive, tasks):
    """Nothing but the engine's own time passes, and no exam is no work."""
    pauses = list[float]()
    with closing(open_engine("local", archive.settings())) as engine:
        paced = Paced(engine, 2**40, pauses.append)
        assert len(paced.convert(archive.place().job, tasks)) == 4
        assert paced.convert(archive.place().job, []) == []
    assert pauses == [0.0]
