"""A step that waits for another run: it stands as postponed, with the cause, and nothing else is touched by it."""

from __future__ import annotations

import pytest

from sdfo.catalog import Query
from sdfo.errors import LeaseHeld
from sdfo.nightly import page
from sdfo.nightly.convert import convert
from sdfo.nightly.local import LocalEngine
from sdfo.nightly.publish import publish
from sdfo.nightly.report import report
from sdfo.nightly.scan import scan
from sdfo.nightly.verify import verify
from sdfo.testing.archive import Archive
from sdfo.testing.exams import make_exam


@pytest.fixture
def busy(archive: Archive) -> Archive:
    """Run r1 is at work: its scan is done."""
    make_exam(archive.san / "exam", slices=2, modality="CT", seed=1, size=16)
    place = archive.place("r1")
    place.catalog.start_run("r1", "local")
    scan(place)
    return archive


def test_a_night_beside_another_is_postponed_with_its_cause(busy: Archive) -> None:
    """Its own scan says so in the catalog; of the run at work nothing is touched, and it ends as a good night."""
    before = busy.place().catalog.steps("r1")
    with pytest.raises(LeaseHeld):
        busy.night("r2")
    steps = busy.place().catalog.steps("r2")
    assert [(row.step, row.state) for row in steps.values()] == [("scan", "postponed")]
    assert "held by run r1" in steps["scan"].report["error"]
    assert busy.place().catalog.steps("r1") == before
    assert busy.night("r1").good
    assert busy.night("r2").good
    assert sum(row.instances for row in busy.place().catalog.find(Query())) == 2


def test_a_night_that_was_postponed_is_no_good_one(busy: Archive) -> None:
    """The report says for what it waits, and which step comes next; `last_good_night` stays as it was."""
    with pytest.raises(LeaseHeld):
        busy.night("r2")
    busy.end_turn()
    found = report(busy.place("r2"))
    assert not found.good
    assert found.todo[0].what.startswith("step scan was postponed: the lease archive is held by run r1")
    assert found.todo[0].command == "sdfo scan --run r2"
    assert "Step scan was postponed: the lease archive is held by run r1" in page.html(found)
    assert busy.place().catalog.last_good_night() is None
    assert not list(busy.place().store.list("last_good_night"))
    said = busy.sdfo("report", "--run", "r2")
    assert said.returncode == 1
    assert '"state": "postponed"' in said.stdout


def test_a_step_that_is_done_stays_done(busy: Archive) -> None:
    """To run it again while another run is at work is refused, and takes nothing from what it did."""
    assert busy.night("r1").good
    make_exam(busy.san / "late", slices=1, modality="CT", seed=2, size=16)
    place = busy.place("r2")
    place.catalog.start_run("r2", "local")
    scan(place)
    before = place.catalog.steps("r1")
    with pytest.raises(LeaseHeld):
        scan(busy.place("r1"))
    assert place.catalog.steps("r1") == before


def test_status_tells_of_it(busy: Archive) -> None:
    """The newest run with its cause and the step to run, and who is at work."""
    with pytest.raises(LeaseHeld):
        busy.night("r2")
    said = busy.sdfo("status").stdout
    assert "r2, scan postponed: the lease archive is held by run r1" in said
    assert "sdfo scan --run r2" in said
    assert "run r1, lease until" in said


def test_it_goes_on_where_it_waited(busy: Archive) -> None:
    """Step by step, as a scheduler repeats them once the other run has ended."""
    busy.end_turn()
    make_exam(busy.san / "late", slices=1, modality="CT", seed=2, size=16)
    place, engine = busy.place("r2"), LocalEngine(0)
    place.catalog.start_run("r2", "local")
    scan(place)
    busy.end_turn()
    held = place.catalog.take_lease("archive", "r3", "another")
    with pytest.raises(LeaseHeld):
        convert(place, engine)
    assert place.catalog.steps("r2")["convert"].state == "postponed"
    place.catalog.release(held)
    convert(place, engine)
    verify(place, engine)
    publish(place)
    assert report(place).good
