"""What waits for the tape system is on the night's page, and what is late or in the way is for a person to do."""

from __future__ import annotations

from typing import Any

import pytest

from sdfo.nightly.tape.awaited import awaited, todo
from sdfo.testing.archive import Archive, fill
from sdfo.testing.expiring import moment, sql, studies


@pytest.fixture
def archived(archive: Archive) -> Archive:
    """Two exams, archived, that wait for tape."""
    fill(archive.san, range(2), 16)
    archive.night()
    return archive


def _told(archive: Archive, **flags: Any) -> list[str]:
    return [each.what for each in todo(archive.place("t", **flags))]


def test_from_waiting_to_a_receipt(archived: Archive) -> None:
    """Parts, then a volume without receipt, then nothing; all of it on the page, and nothing for a person to do."""
    assert str(awaited(archived.place())).startswith("2 parts, ")
    archived.stage()
    found = awaited(archived.place())
    assert (found.parts, found.volumes, found.recalls, found.late(72)) == (0, 1, 0, False)
    report = archived.night("r2")
    assert report.tape == str(found)
    assert "without receipt: 1 volume;" in archived.place("r2").store.read_all("runs/r2/report.html").decode()
    archived.library().once()
    archived.stage("t2")
    assert awaited(archived.place()).hours is None
    assert _told(archived) == []


def test_a_late_receipt_and_a_late_recall(archived: Archive) -> None:
    """Each alone, once it has waited longer than the settings allow."""
    archived.stage()
    assert _told(archived) == []
    sql(archived, "UPDATE volume SET created = :at", at=moment(3.1))
    assert _told(archived) == [
        "the tape system is late: 1 volume without receipt, 0 recalls waiting, the oldest for more than 72 hours"
    ]
    archived.library().once()
    archived.stage("t2")
    archived.sdfo("recall", studies(archived)[0])
    assert _told(archived) == []
    sql(archived, "UPDATE recall SET asked = :at", at=moment(3.1))
    assert [what.partition(", the")[0] for what in _told(archived)] == [
        "the tape system is late: 0 volumes without receipt, 1 recall waiting"
    ]


def test_a_staging_area_that_is_full_or_away(archived: Archive) -> None:
    """Above `tape.clear_at`, and not mounted: both are in the night's list, with the command."""
    archived.stage()
    full = {"tape": archived.settings().tape.model_copy(update={"clear_at": 0.000001, "capacity_gib": 1.0})}
    assert [what.endswith("% full") for what in _told(archived, **full)] == [True]
    (archived.folder / "tape" / ".sdfo-tape").unlink()
    report = archived.night("r3")
    assert [(each.what, each.command) for each in report.todo] == [
        ("the tape staging area has no id file; is it mounted?", "mount it, then sdfo doctor")
    ]
    assert report.good
