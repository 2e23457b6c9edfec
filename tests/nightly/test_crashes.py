"""kill -9 at each named crash point, then a second run: nothing lost, nothing twice, the same bytes as without the kill."""

from __future__ import annotations

import signal
from contextlib import closing

import pytest

from sdfo.catalog import Query
from sdfo.crashpoints import NAMES
from sdfo.nightly.care.gc import gc
from sdfo.testing.archive import Archive, new_archive
from sdfo.testing.exams import make_exam
from sdfo.testing.odd import unmounted

_FILES = 9
OF_A_NIGHT = ("scan.", "convert.", "verify.", "publish.", "report.")
POINTS = [name for name in NAMES if name.startswith(OF_A_NIGHT)]
SHORT = {"scan.manifest", "convert.attempt-half", "verify.outcomes", "publish.renamed", "publish.committed"}
"""One a step, which `make test` tries; the long tests try all."""


def _fill(archive: Archive) -> None:
    for seed in range(3):
        make_exam(archive.san / f"exam{seed}", slices=3, modality="MR", seed=seed, size=32)


@pytest.fixture(scope="session")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The parts that the three exams make when nothing goes wrong."""
    archive = new_archive(tmp_path_factory.mktemp("uninterrupted"))
    _fill(archive)
    assert archive.night().good
    return archive.parts()


def _whole(archive: Archive, expected: dict[str, str]) -> None:
    """Nothing lost, nothing twice."""
    assert archive.parts() == expected
    catalog = archive.place().catalog
    studies = [row.study for row in catalog.find(Query())]
    assert [len(catalog.parts(study)) for study in studies] == [1, 1, 1]
    assert sum(row.instances for row in catalog.find(Query())) == _FILES
    assert catalog.known_paths("hdfs") == set(expected)


@pytest.mark.parametrize(
    "point", [point if point in SHORT else pytest.param(point, marks=pytest.mark.long) for point in POINTS]
)
def test_a_night_killed_at_a_crash_point_is_made_good_by_the_next(archive, uninterrupted, point):
    """In-process engine: SIGKILL at the point, then the same run again, as a scheduler's retry does."""
    _fill(archive)
    died = archive.sdfo("night", "--run", "r1", SDFO_CRASH_AT=point)
    assert died.returncode == -signal.SIGKILL, (died.stdout, died.stderr)
    found = archive.night("r1")
    assert found.good
    assert found.ledger.lines["archived tonight"] + found.ledger.lines["already archived"] == _FILES
    _whole(archive, uninterrupted)
    gc(archive.place(), keep_seconds=0)
    assert not list(archive.place().store.list("attempts"))
    _whole(archive, uninterrupted)


@pytest.mark.night
@pytest.mark.parametrize(("engine", "point"), [("spark", "convert.outcomes"), ("mrjob", "convert.outcomes")])
def test_an_engine_killed_with_its_driver_is_made_good_by_the_next(archive, uninterrupted, engine, point):
    """Spark and mrjob: the process that waits for them is killed."""
    _fill(archive)
    died = archive.sdfo("night", "--run", "r1", "--engine", engine, SDFO_CRASH_AT=point)
    assert died.returncode == -signal.SIGKILL, (died.stdout, died.stderr)
    assert archive.night("r1", engine).good
    _whole(archive, uninterrupted)


def _killer(archive: Archive) -> str:
    """The study of the exam that is to kill its workers."""
    _fill(archive)
    place = archive.place()
    from sdfo.nightly.scan import scan

    place.catalog.start_run("r0", "local")
    scan(place := archive.place("r0"))
    archive.end_turn()
    return sorted(row.study for row in place.catalog.find(Query()))[1]


@pytest.mark.night
@pytest.mark.parametrize(
    "engine", ["local", *(pytest.param(name, marks=pytest.mark.long) for name in ("spark", "mrjob"))]
)
def test_an_exam_that_kills_its_worker_costs_only_itself(archive, uninterrupted, engine):
    """The worker dies each time it writes that exam: all others are archived that night, that one is set aside."""
    study = _killer(archive)
    at = f"convert.attempt-open@{study}"
    night = archive.sdfo("night", "--run", "r1", "--engine", engine, SDFO_CRASH_AT=at, SDFO__CONVERT__WORKERS="2")
    assert night.returncode == 3, (night.stdout, night.stderr)
    assert len(archive.parts()) == 2
    assert archive.parts().items() < uninterrupted.items()
    (entry,) = archive.place().catalog.quarantine()
    assert entry.kind == "engine"
    left = archive.night("r2")
    assert left.good
    assert left.ledger.lines["set aside with its exam"] == 3
    archive.place().catalog.resolve_quarantine(entry.id, "released")
    assert archive.night("r3").good
    _whole(archive, uninterrupted)


@pytest.mark.night
@pytest.mark.parametrize("engine", ["local", "spark", "mrjob"])
def test_a_san_that_goes_away_under_the_workers_ends_the_step(archive, uninterrupted, engine):
    """Nobody is set aside for it: the step fails with WrongSan, and the next run archives all."""
    from sdfo.errors import WrongSan
    from sdfo.nightly.convert import convert
    from sdfo.nightly.engines import open_engine
    from sdfo.nightly.scan import scan

    _fill(archive)
    place = archive.place("r1", convert={"workers": 1})
    place.catalog.start_run("r1", engine)
    scan(place)
    with unmounted(archive.san), closing(open_engine(engine, place.settings)) as opened, pytest.raises(WrongSan):
        convert(place, opened)
    assert archive.night("r1").good
    assert archive.place().catalog.quarantine() == []
    _whole(archive, uninterrupted)
