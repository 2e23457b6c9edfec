"""What the night's page and the list of things to do say of scrubs, drills and the gate."""

from __future__ import annotations

import pytest

from sdfo.nightly.care import standing
from sdfo.nightly.care.catalog_backup import catalog_backup
from sdfo.nightly.care.drill import drill
from sdfo.nightly.care.scrub import scrub
from sdfo.nightly.freeing.expire import expire
from sdfo.testing.archive import Archive, fill
from sdfo.testing.expiring import FREE, SPOILT, freed, moment, sql


@pytest.fixture
def cared(archive: Archive) -> Archive:
    """One exam with both copies, one of them cut since."""
    fill(archive.san, range(1), 16)
    archive.night()
    archive.backup()
    (path,) = archive.parts()
    file = archive.folder / "hdfs" / path
    file.write_bytes(file.read_bytes()[:-1])
    sql(archive, "UPDATE copy SET verified_at = :at", at=moment(100))
    return archive


def test_the_page_shows_what_was_done_and_mended(cared: Archive) -> None:
    """In the report's values, on its page, and nothing to do; then a drill that was red, and the gate that is shut."""
    scrub(cared.place("s1"))
    drill(cared.place("d1"))
    freed(cared)
    report = cared.night("r2")
    assert [(row.step, row.state, row.bad) for row in report.care] == [
        ("scrub", "done", False),
        ("drill", "done", False),
        ("expire", "done", False),
    ]
    (row,) = report.damage
    assert (row.tier, row.why.partition(":")[0], row.done) == ("hdfs", "damaged", "restored")
    assert report.todo == ()
    html = cared.place("r2").store.read_all("runs/r2/report.html").decode()
    assert "Care of the copies" in html
    assert "1 damaged copy found" in html
    cared.place().catalog.note_step("d1", "drill", "done", {"green": False, "nearline": 1, "tape": 0, "failed": 1})
    SPOILT["open since the last rebuild"][0](cared)
    told = [each.command for each in standing.todo(cared.place("r3"))]
    assert told == ["sdfo expire --reopen", "sdfo drill --run r3 --wait"]


@pytest.mark.parametrize(("step", "command"), [("scrub", "scrub"), ("expire-hdfs", "expire --tier hdfs")])
def test_a_step_that_failed_is_told(archive: Archive, step: str, command: str) -> None:
    """With its cause and the command that does it again, on the page and by `status`."""
    archive.place().catalog.start_run("x", "local")
    archive.place().catalog.note_step("x", step, "failed", {"error": "no near-line"})
    (row,) = standing.rows(archive.place())
    assert (row.bad, row.said) == (True, "no near-line")
    (told,) = standing.todo(archive.place("r2"))
    assert (told.what, told.command) == (f"the last {step} failed: no near-line", f"sdfo {command} --run r2")
    code, said = archive.command("status")
    assert code == 1
    assert f"last {step}" in said


def test_a_catalog_that_was_not_backed_up_is_told(archive: Archive) -> None:
    """Until a backup has ended well again."""
    catalog = archive.place().catalog
    catalog.start_run("x", "local")
    catalog.note_step("x", "catalog-backup", "failed", {"error": "near-line is full"})
    (told,) = standing.todo(archive.place())
    assert (told.what, told.command) == (
        "the catalog was not backed up: near-line is full",
        "sdfo catalog backup --run r1",
    )
    catalog_backup(archive.place("y"))
    assert list(standing.todo(archive.place())) == []


def test_nothing_is_said_of_what_never_was(archive: Archive) -> None:
    """A dry run of the expiry is none."""
    expire(archive.place("e1", **FREE), dry_run=True)
    assert standing.rows(archive.place()) == ()
    assert list(standing.todo(archive.place())) == []
