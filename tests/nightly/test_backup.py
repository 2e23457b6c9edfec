"""The near-line backup: what waits is copied, whole and once; one exam never holds the others, and the hours are kept."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from sdfo.catalog import Query
from sdfo.errors import EngineError, Fenced, Full, LeaseHeld, Postponed, SdicomError, WrongStore
from sdfo.model import Tier
from sdfo.nightly import backing
from sdfo.nightly.backup import _Backup, backup, require_time
from sdfo.nightly.care.gc import gc
from sdfo.nightly.local import LocalEngine
from sdfo.nightly.place import init
from sdfo.nightly.scan import scan
from sdfo.testing.archive import APART, Archive, fill
from sdfo.testing.exams import make_exam
from sdfo.transcoder import copying

ZONE = ZoneInfo("Europe/Berlin")


def hours(start: timedelta, end: timedelta) -> dict[str, Any]:
    """Settings whose window begins and ends so long from now."""
    now = datetime.now(ZONE)
    own = {"root": "nearline", "codec": "original", "workers": 0}
    return {"nearline": own | {"start": (now + start).time().isoformat(), "end": (now + end).time().isoformat()}}


def test_what_was_published_is_copied(archive: Archive) -> None:
    """Byte for byte with codec original, a large file beside its part too; the catalog, the queue and the files agree."""
    make_exam(archive.san / "large", slices=1, modality="CT", seed=7, size=1024)
    fill(archive.san, range(2), 16)
    archive.night(**APART)
    before = archive.place().catalog.queue()
    done = archive.backup()
    assert (before.parts, done.parts, done.left, done.failed) == (3, 3, 0, 0)
    assert done.bytes == done.written == sum(s.size for s in archive.place().store.list("exams"))
    assert archive.near() == archive.parts()
    assert len(archive.near()) == 4
    catalog = archive.place().catalog
    assert catalog.known_paths("nearline") == set(archive.near())
    assert catalog.queue().parts == 0
    for row in catalog.find(Query()):
        hdfs, copy = catalog.copies(catalog.parts(row.study)[0].id)
        assert (copy.tier, copy.state, copy.codec) == (Tier.NEARLINE, "verified", "original")
        assert (copy.size, copy.check) == (hdfs.size, hdfs.check)
    assert not list(archive.place().nearline.list("attempts"))
    assert archive.place().catalog.steps("b1")["backup"].state == "done"


def test_an_empty_queue_ends_well(waiting: Archive) -> None:
    """At any hour, with no backup to do: exit 0, and near-line is not even asked for."""
    waiting.backup()
    (waiting.folder / "nearline").rename(waiting.folder / "away")
    later = _environ(hours(timedelta(hours=2), timedelta(hours=3)))
    assert waiting.command("backup", "--run", "b2", **later)[0] == 0
    assert waiting.backup("b3").parts == 0


def _environ(flags: dict[str, Any]) -> dict[str, str]:
    return {f"SDFO__NEARLINE__{name.upper()}": str(flags["nearline"][name]) for name in ("start", "end")}


def test_outside_its_hours_nothing_is_begun(waiting: Archive) -> None:
    """75, and what waits is told; `--any-time` does it all the same."""
    later = hours(timedelta(hours=2), timedelta(hours=3))
    with pytest.raises(Postponed, match=r"it is not the time: the backup works from .*; 3 parts waiting"):
        waiting.backup(**later)
    assert waiting.near() == {}
    code, said = waiting.command("backup", "--run", "b1", "--dry-run", **_environ(later))
    assert code == 75
    assert "--any-time" in said
    assert backup(waiting.place("b1", **later), LocalEngine(0), any_time=True).parts == 3


class Slow(LocalEngine):
    """Takes an hour for each exam, by the clock of this process."""

    hours = 0

    def backup(self, job: Any, tasks: Any, *words: Any) -> Any:
        found = super().backup(job, tasks, *words)
        self.hours += len(tasks)
        return found


def test_it_stops_when_its_hours_end(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two exams: what is done is done, and the oldest of what is left is first in line in the next hours."""
    fill(archive.san, range(4), 16)
    archive.night()
    order = [row.check for row in archive.place().catalog.queued(9)]
    window, engine, now = hours(timedelta(hours=-1), timedelta(hours=1.5)), Slow(0), time.time
    window["nearline"]["batch_gib"] = 1e-9
    monkeypatch.setattr(time, "time", lambda: now() + engine.hours * 3600)
    done = backup(archive.place("b1", **window), engine)
    monkeypatch.undo()
    assert (done.parts, done.left, done.stopped) == (2, 2, "the hours are over")
    assert [row.check for row in archive.place().catalog.queued(9)] == order[2:]
    assert archive.backup("b2").parts == 2
    assert archive.near() == archive.parts()


def test_no_exam_is_begun_when_the_end_is_near(waiting: Archive) -> None:
    """By the speed of the last backup: nothing was done, so it is 75, and noted as postponed; no lease is held."""
    catalog = waiting.place().catalog
    catalog.start_run("b0", "local")
    catalog.note_step("b0", "backup", "done", {"per_second": 10.0, "rate": 10.0})
    soon = hours(timedelta(hours=-2), timedelta(minutes=5))
    with pytest.raises(Postponed, match="it is not the time"):
        require_time(waiting.place("b1", **soon))  # what the DAG asks before it starts Spark
    with pytest.raises(Postponed, match="it is not the time"):
        waiting.backup(**soon)
    assert catalog.steps("b1")["backup"].state == "postponed"
    assert catalog.lease_holder("backup") is None
    assert waiting.near() == {}


def test_an_exam_longer_than_the_hours_is_begun_in_the_first_half(waiting: Archive) -> None:
    """Else it would wait for ever."""
    (row, *_) = waiting.place().catalog.queued(1)
    task = backing.BackupTask(row.part_id, row.study, row.ordinal, row.check, row.path, row.size)
    window = hours(timedelta(hours=-1), timedelta(hours=3))
    job = replace(waiting.place(**window).job, per_second=0.001)
    assert not backing.is_late(replace(job, until=time.time() + 2.1 * 3600), task)
    assert backing.is_late(replace(job, until=time.time() + 1.9 * 3600), task)


def test_a_damaged_part_costs_only_itself(waiting: Archive) -> None:
    """It is told of and set aside, its copy on HDFS is known to be damaged from now on; the others are copied."""
    first = waiting.place().catalog.queued(1)[0]
    file = waiting.folder / "hdfs" / first.path
    file.write_bytes(file.read_bytes()[:-1] + b"\xff")
    done = waiting.backup()
    assert (done.parts, done.failed, done.set_aside, done.left) == (2, 1, 1, 0)
    (entry,) = waiting.place().catalog.quarantine()
    assert (entry.kind, entry.study, entry.ordinal) == ("backup", first.study, 1)
    assert entry.reason.startswith(f"no backup of {first.path}: its copy on HDFS: ")
    assert [copy.state for copy in waiting.place().catalog.copies(first.part_id)] == ["damaged"]
    assert waiting.place().catalog.queue().aside == 1
    assert len(waiting.near()) == 2
    assert waiting.no_attempts()


def test_a_missing_part_costs_only_itself(waiting: Archive) -> None:
    """As a damaged one."""
    first = waiting.place().catalog.queued(1)[0]
    (waiting.folder / "hdfs" / first.path).unlink()
    done = waiting.backup()
    assert (done.parts, done.set_aside) == (2, 1)


def test_an_exam_that_is_stumbled_over_is_tried_once_more(waiting: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in the same run; after all others the next time; then it is set aside, and once released it is copied."""
    first, real = waiting.place().catalog.queued(1)[0], backing.transcode

    def stumbling(part: Any, *words: Any) -> Any:
        if part.study == first.study:
            raise SdicomError("cannot be", path="attempts/x") if part.size % 2 else ValueError("DOE^JANE")
        return real(part, *words)

    monkeypatch.setattr(backing, "transcode", stumbling)
    done = waiting.backup("b1")
    assert (done.parts, done.failed, done.set_aside, done.left) == (2, 1, 0, 1)
    assert waiting.place().catalog.quarantine() == []
    again = waiting.backup("b2")
    assert (again.failed, again.set_aside, again.left) == (1, 1, 0)
    (entry,) = waiting.place().catalog.quarantine()
    assert "test_backup.py:" in entry.reason
    assert "DOE" not in entry.reason
    assert waiting.backup("b3").failed == 0
    waiting.place().catalog.resolve_quarantine(entry.id, "released")
    monkeypatch.undo()
    assert waiting.backup("b4").parts == 1
    assert waiting.near() == waiting.parts()


class Dying(LocalEngine):
    """Its worker dies of one exam."""

    study: str

    def backup(self, job: Any, tasks: Any, *words: Any) -> Any:
        if any(task.study == self.study for task in tasks):
            raise EngineError("a worker process died")
        return super().backup(job, tasks, *words)


def _is_aside_alone(archive: Archive, study: str) -> None:
    assert len(archive.near()) == 2
    (entry,) = archive.place().catalog.quarantine()
    assert (entry.study, entry.kind) == (study, "backup")
    assert "engine: a worker process died" in entry.reason
    assert archive.place().catalog.queue().aside == 1


def test_an_exam_that_kills_its_worker_is_set_aside(waiting: Archive) -> None:
    """Repeated alone, twice; the others are copied in the same run."""
    engine = Dying(0)
    engine.study = waiting.place().catalog.queued(9)[1].study
    assert backup(waiting.place("b1"), engine).set_aside == 1
    _is_aside_alone(waiting, engine.study)


@pytest.mark.long
@pytest.mark.night
def test_an_exam_that_kills_a_process_is_set_aside(waiting: Archive) -> None:
    """The same with worker processes, and kill -9."""
    study = waiting.place().catalog.queued(9)[1].study
    words = {"SDFO_CRASH_AT": f"backup.begun@{study}", "SDFO__NEARLINE__WORKERS": "1"}
    done = waiting.sdfo("backup", "--run", "b1", **words)
    assert done.returncode == 0, done.stderr
    _is_aside_alone(waiting, study)


def test_no_exam_is_to_blame_where_none_comes_through(waiting: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """The step fails, and nothing is set aside; what it was given is behind the others now."""

    def stumbling(*words: Any) -> Any:
        raise ValueError

    monkeypatch.setattr(backing, "transcode", stumbling)
    with pytest.raises(EngineError, match="no exam of 3 was backed up"):
        waiting.backup()
    assert [row.tries for row in waiting.place().catalog.queued(9)] == [1, 1, 1]
    assert waiting.place().catalog.quarantine() == []
    assert waiting.place().catalog.lease_holder("backup") is None


def test_a_batch_in_which_none_comes_through_does_not_hold_the_others(
    waiting: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The two oldest fill a batch and are no good: the third has its copy one run later, and these are set aside."""
    first, second, third = waiting.place().catalog.queued(9)
    real = backing.transcode

    def stumbling(part: Any, *words: Any) -> Any:
        if part.study != third.study:
            raise ValueError
        return real(part, *words)

    monkeypatch.setattr(backing, "transcode", stumbling)
    pair = hours(timedelta(0), timedelta(0))
    pair["nearline"]["batch_gib"] = (first.size + second.size) / 1024**3
    with pytest.raises(EngineError, match="no exam of 2"):
        waiting.backup("b1", **pair)
    done = waiting.backup("b2", **pair)
    assert (done.parts, done.failed, done.set_aside, done.left) == (1, 2, 2, 0)
    assert third.path in waiting.near()


def test_where_some_came_through_the_others_are_to_blame(waiting: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though none of their own batch did."""
    first, *_ = waiting.place().catalog.queued(9)
    real = backing.transcode

    def stumbling(part: Any, *words: Any) -> Any:
        if part.study != first.study:
            raise ValueError
        return real(part, *words)

    monkeypatch.setattr(backing, "transcode", stumbling)
    monkeypatch.setattr(_Backup, "_most", lambda self: 1e12 * bool(self.tried))
    done = waiting.backup("b1")
    assert (done.parts, done.failed, done.left) == (1, 2, 2)


def test_a_full_nas_ends_the_step_and_keeps_what_was_done(waiting: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the store and what to do; no exam is to blame, and those before it have their copies."""
    real, passed = backing.transcode, iter(range(9))

    def filling(*words: Any) -> Any:
        if next(passed):
            raise Full("the disk is full", path="attempts/b1/x")
        return real(*words)

    monkeypatch.setattr(backing, "transcode", filling)
    with pytest.raises(Full, match=r"the near-line store is full; next: df"):
        waiting.backup()
    assert len(waiting.near()) == 1
    assert [row.tries for row in waiting.place().catalog.queued(9)] == [0, 0]
    monkeypatch.undo()
    assert waiting.backup().parts == 2


def test_an_unmounted_nas_is_not_an_empty_one(waiting: Archive) -> None:
    """Nothing is written below its mount point; the error says what to do, `init` makes no new store of it, and status tells."""
    (waiting.folder / "nearline").rename(waiting.folder / "away")
    (waiting.folder / "nearline").mkdir()
    with pytest.raises(WrongStore, match=r"no id file; is it mounted\?; next: mount it"):
        waiting.backup()
    with pytest.raises(WrongStore):
        init(waiting.settings())
    assert list((waiting.folder / "nearline").rglob("*")) == []
    code, said = waiting.command("status")
    assert code == 1
    assert "is it mounted?" in said
    (waiting.folder / "nearline").rmdir()
    (waiting.folder / "away").rename(waiting.folder / "nearline")
    assert waiting.backup().parts == 3


def test_another_archives_nas_is_refused(waiting: Archive, tmp_path: Path) -> None:
    """By its id."""
    (waiting.folder / "nearline" / ".sdfo-nearline").write_text("another")
    with pytest.raises(WrongStore, match="another near-line store is mounted"):
        waiting.backup()
    assert waiting.night("r2").good


class Unmounting(LocalEngine):
    """The NAS goes away once the exams are written."""

    folder: Path

    def backup(self, *words: Any) -> Any:
        found = super().backup(*words)
        self.folder.rename(self.folder.with_name("away"))
        return found


def test_a_nas_that_goes_away_ends_the_step(waiting: Archive) -> None:
    """Nobody is set aside for it, and the next run copies all."""
    engine = Unmounting(0)
    engine.folder = waiting.folder / "nearline"
    with pytest.raises(WrongStore):
        backup(waiting.place("b1"), engine)
    (waiting.folder / "away").rename(engine.folder)
    assert waiting.place().catalog.quarantine() == []
    assert waiting.backup("b1").parts == 3


def test_a_nas_that_goes_away_under_a_worker_is_no_fault_of_the_exam(
    waiting: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half-written: the copy on HDFS is not called damaged for it, nobody is set aside, and the next run copies all."""

    def leaving(pieces: Any) -> Any:
        for piece in pieces:
            yield piece
            if (waiting.folder / "nearline").exists():
                (waiting.folder / "nearline").rename(waiting.folder / "away")

    monkeypatch.setattr(copying, "passing", leaving)
    with pytest.raises(WrongStore, match="is it mounted"):
        waiting.backup("b1")
    monkeypatch.undo()
    shutil.rmtree(waiting.folder / "nearline", ignore_errors=True)
    (waiting.folder / "away").rename(waiting.folder / "nearline")
    catalog = waiting.place().catalog
    assert {copy.state for row in catalog.queued(9) for copy in catalog.copies(row.part_id)} == {"verified"}
    assert ([row.tries for row in catalog.queued(9)], catalog.quarantine()) == ([0, 0, 0], [])
    assert waiting.backup("b1").parts == 3


def test_two_backups_are_not_at_work_at_once(waiting: Archive) -> None:
    """The second one is postponed; a night is at work beside a backup, and has its own lease."""
    held = waiting.place().catalog.take_lease("backup", "another", "host:1")
    with pytest.raises(LeaseHeld):
        waiting.backup()
    assert waiting.command("backup", "--run", "b1", "--dry-run")[0] == 75
    assert waiting.night("r2").good
    waiting.place().catalog.release(held)
    place = waiting.place("r3")
    place.catalog.start_run("r3", "local")
    scan(place)
    assert place.catalog.lease_holder("archive") is not None
    assert waiting.backup("b2").parts == 3
    assert place.catalog.lease_holder("archive") is not None
    assert waiting.place().catalog.runs(1)[0].run == "r3"


class Overtaken(LocalEngine):
    """While its exams are written, the same run is started once more."""

    archive: Archive

    def backup(self, *words: Any) -> Any:
        found = super().backup(*words)
        self.archive.place().catalog.take_lease("backup", "b1", "host:2")
        return found


def test_a_zombie_changes_nothing(waiting: Archive) -> None:
    """A step that was started again under the same id: the first one renames nothing and enters nothing."""
    engine = Overtaken(0)
    engine.archive = waiting
    with pytest.raises(Fenced):
        backup(waiting.place("b1"), engine)
    assert waiting.near() == {}
    assert waiting.place().catalog.queue().parts == 3
    assert waiting.backup("b1").parts == 3


def test_a_repeated_step_writes_nothing_twice(waiting: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an earlier try wrote and did not publish is read again, and published."""
    engine = Overtaken(0)
    engine.archive = waiting
    monkeypatch.setattr("sdfo.nightly.turn.Turn.check", lambda self: None)
    with pytest.raises(Fenced):
        backup(waiting.place("b1"), engine)
    monkeypatch.undo()
    monkeypatch.setattr(backing, "transcode", None)
    assert waiting.backup("b1").parts == 3
    assert waiting.near() == waiting.parts()


class Spoiling(LocalEngine):
    """What is written to near-line is not what comes to lie there."""

    archive: Archive

    def backup(self, *words: Any) -> Any:
        found = super().backup(*words)
        file = self.archive.folder / "nearline" / found[0].written.attempt
        file.write_bytes(file.read_bytes()[:-1] + b"\xff")
        return found


def test_what_the_second_reading_refuses_is_not_published(waiting: Archive) -> None:
    """It waits on, after the others."""
    engine = Spoiling(0)
    engine.archive = waiting
    first = waiting.place().catalog.queued(1)[0]
    done = backup(waiting.place("b1"), engine)
    assert (done.parts, done.failed, done.left) == (2, 1, 1)
    (row,) = waiting.place().catalog.queued(9)
    assert (row.check, row.tries) == (first.check, 1)
    assert str(row.reason).startswith("its copy, read again: ")
    assert waiting.backup("b2").parts == 1
    assert waiting.near() == waiting.parts()


def test_the_second_reading_asks_the_nas(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """What this machine remembers to have written of a part, and of a file beside it, is forgotten before."""
    make_exam(archive.san / "large", slices=1, modality="CT", seed=7, size=1024)
    archive.night(**APART)
    forgotten, real = set[str](), os.posix_fadvise

    def advise(fd: int, *words: int) -> None:
        forgotten.add(Path(f"/proc/self/fd/{fd}").readlink().name)
        real(fd, *words)

    monkeypatch.setattr(os, "posix_fadvise", advise)
    archive.backup(**APART)
    beside = next(Path(path).name for path in archive.near() if path.endswith(".dcm"))
    assert forgotten == {"part.sdicom", beside}


def test_the_report_and_status_say_what_waits(archive: Archive) -> None:
    """A number and since when; a person is told when it has been too long."""
    fill(archive.san, range(1), 16)
    found = archive.night()
    assert found.backup is not None
    assert (found.backup.parts, found.backup.aside, found.todo) == (1, 0, ())
    short = {"limits": {"backup_age_hours": 1e-9, "free": 0}}
    late = archive.night("r2", **short)
    assert "1 parts wait for their near-line copy" in late.todo[0].what
    assert late.todo[0].command == "sdfo backup --run r2 --any-time"
    code, said = archive.command("status", SDFO__LIMITS__BACKUP_AGE_HOURS="1e-9", SDFO__LIMITS__FREE="0")
    assert code == 1
    assert "1 part, " in said
    assert archive.command("status", SDFO__LIMITS__FREE="0")[0] == 0


def test_the_codec_follows_the_modality(archive: Archive) -> None:
    """`nearline.codecs`, by the modality of most images; else `nearline.codec`."""
    settings = archive.settings(nearline={"root": "n", "codec": "htj2k", "codecs": {"MG": "j2k"}})
    assert [backing.recipe_of(settings, modality).codec for modality in ("MG", "CT", "")] == ["j2k", "htj2k", "htj2k"]


def test_an_archive_from_before_near_line_says_what_to_do(waiting: Archive) -> None:
    """`sdfo init`, which may be repeated."""
    (waiting.folder / "hdfs" / "nearline_id").unlink()
    with pytest.raises(WrongStore, match="next: sdfo init"):
        waiting.backup()
    init(waiting.settings())
    assert waiting.backup().parts == 3


def test_old_attempts_on_near_line_are_swept(waiting: Archive) -> None:
    """Those of runs that are not at work; where near-line is not mounted, HDFS' are swept all the same."""
    waiting.place().nearline.put("attempts/dead/part.sdicom", b"123")
    held = waiting.place().catalog.take_lease("backup", "dead", "host:1")
    assert gc(waiting.place(), keep_seconds=0).removed == 0
    waiting.place().catalog.release(held)
    assert gc(waiting.place(), keep_seconds=0).bytes == 3
    waiting.place().store.put("attempts/dead/part.sdicom", b"123")
    (waiting.folder / "nearline").rename(waiting.folder / "away")
    assert gc(waiting.place(), keep_seconds=0).removed == 1
