"""The NameNode takes no change, is away, or dies in the night: the run is postponed with its cause, and goes on afterwards."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from sdfo.catalog import StepRow
from sdfo.errors import Postponed
from sdfo.nightly.convert import convert
from sdfo.nightly.local import LocalEngine
from sdfo.nightly.publish import publish
from sdfo.nightly.report import report
from sdfo.nightly.scan import scan
from sdfo.nightly.verify import verify
from sdfo.testing.archive import Archive, fill, new_archive, parts_on_disk
from sdfo.testing.hadoop.cluster import Cluster

pytestmark = pytest.mark.hadoop

EXAMS = 8
SAFE_MODE = "the NameNode is in safe mode: it takes no change"


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return parts_on_disk(tmp_path_factory.mktemp("local"), range(EXAMS))


@pytest.fixture
def archive(expected, hadoop: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Archive]:
    """The same exams, on HDFS."""
    monkeypatch.setenv("SDFO__HDFS__ROOT", f"{hadoop.url}/away/{secrets.token_hex(6)}")
    made = new_archive(tmp_path)
    fill(made.san, range(EXAMS))
    yield made
    hadoop.mend()


@contextmanager
def _away(hadoop: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The NameNode is gone; little patience meanwhile, so that the test needs none. Then it is started on its data."""
    hadoop.namenode.kill()
    with monkeypatch.context() as hasty:
        hasty.setenv("SDFO__HDFS__DEADLINE_SECONDS", "1.5")
        hasty.setenv("SDFO__HDFS__WRITE_RETRY_SECONDS", "1")
        yield
    hadoop.mend()


def _step(archive: Archive, run: str, step: str) -> StepRow:
    return archive.place().catalog.steps(run)[step]


def _cause(archive: Archive, run: str, step: str) -> str:
    """Why the step is postponed; it must be, and over."""
    row = _step(archive, run, step)
    assert (row.state, row.ended is None) == ("postponed", False)
    return str(row.report["error"])


def _rest(archive: Archive, run: str) -> None:
    """The steps from convert on, as a scheduler repeats them."""
    place, engine = archive.place(run), LocalEngine(0)
    convert(place, engine)
    verify(place, engine)
    publish(place)
    assert report(place).good


def test_a_night_in_safe_mode(archive: Archive, expected, hadoop: Cluster) -> None:
    """75, and postponed with its cause in catalog, status and report; another run then goes on at once, and is good."""
    hadoop.safe_mode(True)
    night = archive.sdfo("night", "--run", "r1")
    assert night.returncode == 75, night.stderr
    assert SAFE_MODE in json.loads(night.stdout)["what"]
    assert _cause(archive, "r1", "scan") == SAFE_MODE
    status = archive.sdfo("status", SDFO__LIMITS__FREE="0")
    assert f"r1, scan postponed: {SAFE_MODE}" in status.stdout
    assert "nobody" in status.stdout
    hadoop.safe_mode(False)
    found = report(archive.place("r1"))
    assert not found.good
    assert found.todo[0].what == f"step scan was postponed: {SAFE_MODE}"
    assert archive.night("r2").good
    assert archive.parts() == expected
    assert _cause(archive, "r1", "scan") == SAFE_MODE


@pytest.mark.long
def test_safe_mode_in_the_middle_of_a_run(archive: Archive, expected, hadoop: Cluster) -> None:
    """Each step from then on is postponed, however often it is repeated; the run goes on where it stopped."""
    place, engine = archive.place("r1"), LocalEngine(0)
    place.catalog.start_run("r1", "local")
    scan(place)
    convert(place, engine)
    hadoop.safe_mode(True)
    for _ in range(2):
        with pytest.raises(Postponed):
            verify(place, engine)
        assert _cause(archive, "r1", "verify") == SAFE_MODE
    with pytest.raises(Postponed):
        report(place)
    hadoop.safe_mode(False)
    assert _step(archive, "r1", "convert").state == "done"
    verify(place, engine)
    hadoop.safe_mode(True)
    with pytest.raises(Postponed):
        publish(place)
    assert _cause(archive, "r1", "publish") == SAFE_MODE
    assert archive.place().catalog.known_paths("hdfs") == set()
    hadoop.safe_mode(False)
    publish(place)
    assert report(place).good
    assert archive.parts() == expected


@pytest.mark.long
def test_a_namenode_that_stays_away(
    archive: Archive, expected, hadoop: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step ends with 75 and its cause; so does a night of another run; afterwards both go on."""
    place = archive.place("r1")
    place.catalog.start_run("r1", "local")
    scan(place)
    with _away(hadoop, monkeypatch):
        done = archive.sdfo("convert", "--run", "r1")
        assert done.returncode == 75, done.stderr
        assert "the store does not answer" in _cause(archive, "r1", "convert")
        archive.end_turn()  # or five minutes later
        with pytest.raises(Postponed):
            archive.night("r2")
        assert archive.place().catalog.lease_holder("archive") is None
        assert "the store does not answer" in _cause(archive, "r2", "scan")
        assert _step(archive, "r1", "scan").state == "done"
        status = archive.sdfo("status")
    assert status.returncode == 1
    assert {line["what"]: line["ok"] for line in json.loads(status.stdout)["lines"]}["the HDFS store"] is False
    assert "r2, scan postponed: the store does not answer" in status.stdout
    _rest(archive, "r1")
    assert archive.night("r2").good
    assert archive.parts() == expected


def test_a_namenode_that_dies_in_the_night_and_comes_back(archive: Archive, expected, hadoop: Cluster) -> None:
    """Killed while attempts are written, started again on its data: the night comes through, or is postponed and then does."""
    store = archive.place().store
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(archive.sdfo, "night", "--run", "r1")
        while not running.done() and not list(store.list("attempts")):
            time.sleep(0.01)
        hadoop.namenode.kill()
        hadoop.namenode.start()  # by this thread: the daemon dies with the one that started it
        night = running.result()
    print(f"the night ended with {night.returncode}")
    assert night.returncode in (0, 75), night.stderr
    states = {row.state for row in archive.place().catalog.steps("r1").values()}
    assert states == {"done"} if night.returncode == 0 else "postponed" in states
    hadoop.mend()
    assert archive.night("r1").good
    assert archive.parts() == expected
    assert archive.place().catalog.known_paths("hdfs") == set(expected)
