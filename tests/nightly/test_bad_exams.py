"""One exam that this program stumbles over never costs the others their night."""

from __future__ import annotations

import pytest

from sdfo.errors import SdicomError
from sdfo.nightly import job
from sdfo.testing.exams import make_exam


def _exams(archive) -> None:
    for seed in range(3):
        make_exam(archive.san / f"DOE^JANE_{seed}", slices=2, modality="CT", seed=seed, size=16)


@pytest.mark.parametrize("error", [ValueError, RecursionError, MemoryError, SdicomError])
@pytest.mark.parametrize("where", ["describe", "merge"])
def test_a_fault_of_this_program_sets_one_exam_aside(archive, monkeypatch, error, where):
    """Whatever is raised over one exam's files: it is set aside, with where it happened and no name; the others are archived."""
    _exams(archive)
    real = getattr(job.converter, where)

    def stumbling(*words):
        folder = words[1] if where == "describe" else words[0].folder
        if folder == b"DOE^JANE_1":
            raise error("over DOE^JANE_1")
        return real(*words)

    monkeypatch.setattr(job.converter, where, stumbling)
    found = archive.night("r1")
    assert found.good
    assert found.ledger.lines["archived tonight"] == 4
    assert found.ledger.lines["set aside with its exam"] == 2
    (entry,) = archive.place().catalog.quarantine()
    assert entry.kind == "engine"
    assert error.__name__ in entry.reason
    assert "test_bad_exams.py" in entry.reason
    assert "DOE" not in entry.reason


def test_an_exam_set_aside_stays_so_when_a_person_accepts_that(archive, monkeypatch):
    """Accepted is not released: it is not tried again every night, at the price of every other exam's time."""
    _exams(archive)
    real, tried = job.converter.merge, []

    def stumbling(task, *words):
        tried.append(task.folder)
        if task.folder == b"DOE^JANE_1":
            raise ValueError
        return real(task, *words)

    monkeypatch.setattr(job.converter, "merge", stumbling)
    archive.night("r1")
    (entry,) = archive.place().catalog.quarantine()
    archive.place().catalog.resolve_quarantine(entry.id, "accepted")
    tried.clear()
    assert archive.night("r2").ledger.lines["set aside with its exam"] == 2
    assert tried == []


def test_a_released_file_that_was_not_mended_is_set_aside_again(archive):
    """A person released a damaged image, but it is as it was: the entry opens again, and with it the gate is shut."""
    (path,) = make_exam(archive.san / "a", slices=1, modality="CT", seed=1, size=16)
    path.write_bytes(path.read_bytes()[:-10])
    archive.night("r1")
    (entry,) = archive.place().catalog.quarantine()
    archive.place().catalog.resolve_quarantine(entry.id, "released")
    found = archive.night("r2")
    assert found.good
    assert [row.reason for row in archive.place().catalog.quarantine()] == [entry.reason]
