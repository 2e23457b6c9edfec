"""One exam that this program stumbles over never costs the others their night."""

from __future__ import annotations

import builtins

import pytest

from sdfo import errors
from sdfo.nightly import job
from sdfo.testing.exams import make_exam


class Stumbling:
    """A step of the converter that meets an error over one file, or over the exam folders that begin so."""

    def __init__(self, step: str, error: str, folder: bytes = b"DOE^JANE_1") -> None:
        self.step, self.folder, self.reads = getattr(job.converter, step), folder, step == "describe"
        self.error = getattr(errors, error, None) or getattr(builtins, error)

    def __call__(self, *words):
        folder = words[1] if self.reads else words[0].folder
        if folder.startswith(self.folder) and not (self.reads and words[2].name.endswith(b"2.dcm")):
            raise self.error("over DOE^JANE_1")
        return self.step(*words)


def _exams(archive) -> None:
    for seed in range(3):
        make_exam(archive.san / f"DOE^JANE_{seed}", slices=2, modality="CT", seed=seed, size=16)


@pytest.mark.parametrize("error", ["ValueError", "RecursionError", "MemoryError", "SdicomError"])
def test_a_fault_of_this_program_sets_one_exam_aside(archive, monkeypatch, error):
    """Whatever is raised over one exam's files: it is set aside, with where it happened and no name; the others are archived."""
    _exams(archive)
    monkeypatch.setattr(job.converter, "merge", Stumbling("merge", error))
    found = archive.night("r1")
    assert found.good
    assert found.ledger.lines["archived tonight"] == 4
    assert found.ledger.lines["set aside with its exam"] == 2
    (entry,) = archive.place().catalog.quarantine()
    assert entry.kind == "engine"
    assert f"{error} at test_bad_exams.py:" in entry.reason
    assert "DOE" not in entry.reason


def test_a_fault_of_this_program_leaves_one_file_unread(archive, monkeypatch):
    """It stumbles over a single file: that one is unreadable, all others of its exam are archived."""
    _exams(archive)
    monkeypatch.setattr(job.converter, "describe", Stumbling("describe", "ValueError"))
    found = archive.night("r1")
    assert {n: c for n, c in found.ledger.lines.items() if c} == {"archived tonight": 5, "unreadable": 1}
    (entry,) = archive.place().catalog.quarantine()
    assert entry.kind == "unreadable"
    assert entry.reason.startswith("ValueError at test_bad_exams.py:")
    monkeypatch.undo()
    assert archive.night("r2").ledger.lines["archived tonight"] == 1
    assert archive.place().catalog.quarantine() == []


def test_a_fault_over_every_exam_is_no_exams_fault(archive, monkeypatch):
    """Nobody is set aside: the step fails, and says where."""
    _exams(archive)
    monkeypatch.setattr(job.converter, "merge", Stumbling("merge", "ValueError", folder=b"DOE"))
    found = archive.night("r1")
    assert not found.good
    assert "ValueError at test_bad_exams.py" in found.todo[0].what
    assert archive.place().catalog.quarantine() == []


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


def test_an_exam_with_a_conflict_and_a_sound_study(archive):
    """Two studies in one folder, something else at the name of one: that one waits for a person, the other is archived."""
    from sdfo.nightly.convert import convert, outcomes
    from sdfo.nightly.local import LocalEngine
    from sdfo.nightly.scan import scan

    for seed in (1, 2):
        make_exam(archive.san / "a", slices=2, modality="CT", seed=seed, size=16, series=seed)
    place = archive.place("r1")
    place.catalog.start_run("r1", "local")
    scan(place)
    convert(place, LocalEngine(0))
    taken = archive.folder / "hdfs" / outcomes(place)[0].parts[0].path
    taken.parent.mkdir(parents=True)
    taken.write_bytes(b"something else")
    found = archive.night("r1")
    assert found.good
    assert found.attention
    assert {n: c for n, c in found.ledger.lines.items() if c} == {"archived tonight": 2, "set aside with its exam": 2}
    assert taken.read_bytes() == b"something else"
    taken.unlink()
    assert archive.night("r2").ledger.lines["archived tonight"] == 2
    assert archive.place().catalog.quarantine() == []
