"""The first load: old exams are left out of the night and archived in slices, newest first, each once, whatever happens."""

from __future__ import annotations

import os
import shutil
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from sdfo.catalog import QuarantineNote, Query
from sdfo.errors import Fuse, LeaseHeld, NotFound, Postponed, UsageError
from sdfo.nightly.backfill import BackfillReport, backfill
from sdfo.nightly.remaining import left
from sdfo.nightly.scan import SEEN, Seen
from sdfo.stores.local import LocalStore
from sdfo.testing.archive import Archive, new_archive
from sdfo.testing.exams import Series, make_exam, study_uid
from sdfo.testing.odd import unmounted

EXAM = sum(map(len, Series("MR", 0, 32).images(3)))
"""Bytes of one exam of `_old`."""
WAITING, ARCHIVED, ALREADY = "waiting for the first load", "archived tonight", "already archived"
NOW = datetime.now(UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def _clock(hours: float) -> str:
    return f"{(NOW + timedelta(hours=hours)).astimezone(BERLIN):%H:%M}"


def _flags(slice_bytes: float = 2.5 * EXAM, **more: Any) -> dict[str, Any]:
    """Any hour is the first load's, the night begins in some hours; `more` are keys of [backfill]."""
    first_load = {"days": 30, "gib_per_run": slice_bytes / 2**30, "start": "00:00", "end": "00:00"}
    night = {"start": _clock(6), "end": _clock(7)}
    return {"backfill": first_load | more, "night": night, "limits": {"free": 0}}


def _aged(folder: Path, days: float) -> Path:
    for path in folder.rglob("*"):
        os.utime(path, (time.time() - days * 86400,) * 2)
    return folder


def _old(archive: Archive, count: int = 5) -> None:
    """Exams of 3 files, `exam0` the oldest; their names and ids ascend against their age."""
    for seed in range(count):
        make_exam(archive.san / f"exam{seed}", slices=3, modality="MR", seed=seed, size=32)
        _aged(archive.san / f"exam{seed}", 400 - 10 * seed)


def _load(archive: Archive, slices: int | None = None, **flags: Any) -> BackfillReport:
    return backfill(archive.settings(**(flags or _flags())), "local", slices=slices)


def _folders(archive: Archive, run: str) -> list[bytes]:
    return [row.folder for row in archive.place(run).read(SEEN, Seen, "scan")]


@pytest.fixture
def waiting(archive: Archive) -> Archive:
    """Five old exams, of which a night has said that they wait."""
    _old(archive)
    assert archive.night("r1", **_flags()).ledger.lines[WAITING] == 15
    return archive


@pytest.fixture(scope="session")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The parts that one night makes of the five exams where there is no first load."""
    archive = new_archive(tmp_path_factory.mktemp("all-at-once"))
    _old(archive)
    assert archive.night().good
    return archive.parts()


def test_the_night_takes_what_is_new_and_counts_what_is_old(archive):
    """Old exams are in a line of their own, the ledger balances, and none of their files was opened: `find` has none of them."""
    _old(archive)
    make_exam(archive.san / "today", slices=2, modality="CT", seed=9, size=32)
    for run, line in (("r1", ARCHIVED), ("r2", ALREADY)):
        found = archive.night(run, **_flags())
        assert found.good
        assert found.ledger.seen == 17
        assert (found.ledger.lines[line], found.ledger.lines[WAITING]) == (2, 15)
    assert [row.study for row in archive.place().catalog.find(Query())] == [study_uid(9)]


def test_slices_take_the_newest_first_until_nothing_waits(waiting, expected):
    """The first slice is small, to measure; the sum is what one night would have written, byte for byte."""
    found = _load(waiting)
    assert (found.stopped, found.failed, found.left.exams) == ("nothing waits any more", False, 0)
    taken = [_folders(waiting, each.run) for each in found.slices]
    assert taken == [[b"exam4"], [b"exam3", b"exam2", b"exam1"], [b"exam0"]]
    assert [each.files for each in found.slices] == [3, 9, 3]
    assert all(
        each.good and (waiting.folder / "hdfs" / "runs" / each.run / "report.html").is_file() for each in found.slices
    )
    assert waiting.parts() == expected
    after = waiting.night("r2", **_flags())
    assert after.good
    assert after.ledger.lines[ALREADY] == 15


def test_slices_are_numbered_and_counted(waiting):
    """`--slices`: each call goes on where the last one ended."""
    first, second = _load(waiting, 1), _load(waiting, 1)
    today = f"{datetime.now(BERLIN):%Y-%m-%d}"
    assert [each.run for found in (first, second) for each in found.slices] == [
        f"backfill-{today}-1",
        f"backfill-{today}-2",
    ]
    assert (first.left.exams, second.left.exams) == (4, 1)
    assert not first.failed


@pytest.mark.parametrize(
    "point",
    [
        "convert.outcomes",
        *(pytest.param(p, marks=pytest.mark.long) for p in ("scan.manifest", "publish.committed", "report.written")),
    ],
)
def test_a_slice_that_was_killed_is_begun_again(waiting, expected, point):
    """SIGKILL at the second slice's point: the next call goes on at once under the slice's id; nothing is lost or twice."""
    _load(waiting, 1)
    toml = waiting.toml.read_text()
    first_load = f"\n[backfill]\ndays = 30\ngib_per_run = {2.5 * EXAM / 2**30:.9f}\nstart = 00:00:00\nend = 00:00:00\n"
    night = f"[night]\nstart = {_clock(6)}:00\nend = {_clock(7)}:00\n[limits]\nfree = 0\n"
    waiting.toml.write_text(toml + first_load + night)
    died = waiting.sdfo("backfill", SDFO_CRASH_AT=point)
    assert died.returncode == -signal.SIGKILL, (died.stdout, died.stderr)
    found = _load(waiting)
    assert not found.failed
    assert found.slices[0].run.endswith("-2")
    assert found.left.exams == 0
    assert waiting.parts() == expected
    assert [len(waiting.place().catalog.parts(study_uid(seed))) for seed in range(5)] == [1] * 5


def test_a_night_between_two_slices_breaks_neither(waiting, expected):
    """The night archives today's exam and counts what waits; the slice after it goes on."""
    _load(waiting, 1)
    make_exam(waiting.san / "today", slices=2, modality="CT", seed=9, size=32)
    found = waiting.night("r2", **_flags())
    assert found.good
    assert (found.ledger.lines[ARCHIVED], found.ledger.lines[ALREADY], found.ledger.lines[WAITING]) == (2, 3, 12)
    assert _load(waiting).left.exams == 0
    assert expected.items() < waiting.parts().items()


def test_a_late_image_makes_a_waiting_exam_the_nights(waiting):
    """What is new today is archived tonight, with the old images of its exam."""
    make_exam(waiting.san / "exam0", slices=1, modality="MR", seed=0, size=32, first=4)
    found = waiting.night("r2", **_flags())
    assert (found.ledger.lines[ARCHIVED], found.ledger.lines[WAITING]) == (4, 12)


def test_an_old_image_of_an_archived_exam_is_the_nights(waiting):
    """Something of its exam was archived before: whatever comes to it later, however old, the next night takes."""
    assert _load(waiting).left.exams == 0
    for run in ("r2", "r3"):
        waiting.night(run, **_flags())
    make_exam(waiting.san / "exam0", slices=1, modality="MR", seed=0, size=32, first=4)
    _aged(waiting.san / "exam0", 400)
    found = waiting.night("r4", **_flags() | {"san": {"relist_days": 0}})
    assert (found.ledger.lines[WAITING], found.ledger.balanced, len(waiting.parts())) == (0, True, 6)


def test_without_the_setting_the_night_takes_what_waits(waiting, expected):
    """`backfill.days` = 0 again: nothing is left to anybody else."""
    assert waiting.night("r2").ledger.lines[ARCHIVED] == 15
    assert waiting.parts() == expected


def test_a_night_that_was_to_take_all_leaves_it_to_the_first_load_afterwards(archive):
    """Somebody sees during the first scan that it is too much, and sets `backfill.days` then."""
    from sdfo.nightly.scan import scan

    _old(archive)
    place = archive.place("r1")
    place.catalog.start_run("r1", "local")
    assert scan(place).tasked == 15
    archive.end_turn()
    assert archive.night("r2", **_flags()).ledger.lines[WAITING] == 15


def test_an_exam_that_fails_is_taken_once(waiting):
    """Nothing in it is DICOM, nothing can be read: no slice meets it again, the night does, and the load comes to its end."""
    notes, gone = waiting.san / "exam4", waiting.san / "exam3"
    for path in notes.iterdir():
        path.write_text("no image")
    _aged(notes, 360)
    broken = next(gone.iterdir())
    broken.unlink()
    os.mkfifo(broken)
    found = _load(waiting)
    assert found.left.exams == 0
    assert not found.failed
    assert [folder for each in found.slices for folder in _folders(waiting, each.run)].count(b"exam4") == 1
    for run in ("r2", "r3"):
        after = waiting.night(run, **_flags()).ledger
        assert after.balanced
        assert (after.lines[WAITING], after.lines["in no exam"], after.lines["not a regular file"]) == (0, 3, 1)


def test_what_a_person_releases_is_the_nights(waiting):
    """Nothing of the exam was ever archived, and it is old: it does not wait once more."""
    catalog = waiting.place().catalog
    folder_id = catalog.folders()[b"exam0"].id
    entry = catalog.open_quarantine("r1", QuarantineNote("engine", kind="engine"), study=None, folder_id=folder_id)
    catalog.resolve_quarantine(entry, "released")
    catalog.set_folder_state([folder_id], "receiving")
    found = waiting.night("r2", **_flags())
    assert (found.ledger.lines[ARCHIVED], found.ledger.lines[WAITING]) == (3, 12)


def test_an_exam_that_is_still_copied_to_the_san_waits_on(archive):
    """A move from an old SAN brings old times along. What changed since it was listed is counted, and not archived."""
    flags = _flags() | {"san": {"settle_minutes": 1 / 60}}
    _old(archive, 1)
    assert archive.night("r1", **flags).good
    time.sleep(1.1)
    make_exam(archive.san / "exam0", slices=1, modality="MR", seed=0, size=32, first=4)
    _aged(archive.san / "exam0", 400)
    found = _load(archive, **flags)
    assert (found.slices[0].files, found.left.exams, archive.parts()) == (0, 0, {})
    assert archive.night("r2", **flags).ledger.lines[WAITING] == 4
    time.sleep(1.1)
    assert _load(archive, **flags).slices[0].files == 4


def test_a_folder_that_was_taken_away_holds_up_nothing(waiting):
    """Somebody removed an exam that waited: the slice goes on with the next one."""
    shutil.rmtree(waiting.san / "exam4")
    found = _load(waiting, 1)
    assert _folders(waiting, found.slices[0].run) == [b"exam3"]
    assert found.left.exams == 3


def test_a_slice_is_no_night(waiting):
    """A monitor that looks at last_good_night hears of it when the nights stop, though slices go on."""
    word = LocalStore(waiting.folder / "hdfs").read_all("last_good_night")
    night = waiting.place().catalog.last_good_night()
    assert _load(waiting).left.exams == 0
    assert LocalStore(waiting.folder / "hdfs").read_all("last_good_night") == word
    assert waiting.place().catalog.last_good_night() == night


def test_a_fuse_stops_the_first_load(waiting):
    """Every file fails alike: the slice is not good, no other begins, its exams wait on, and the next call takes them."""
    for path in (waiting.san / "exam4").iterdir():
        path.write_bytes(path.read_bytes()[:-10])
    _aged(waiting.san / "exam4", 360)
    found = _load(waiting, **_flags() | {"limits": {"free": 0, "same_error_files": 3}})
    assert found.failed
    assert [each.good for each in found.slices] == [False]
    assert "fail alike" in str(found.slices[0].why)
    assert found.left.exams == 5
    assert not _load(waiting).failed


def test_an_unmounted_san_stops_the_first_load(waiting):
    """It is not a slice whose exams are all gone."""
    with unmounted(waiting.san):
        found = _load(waiting)
    assert found.failed
    assert "mounted" in str(found.slices[0].why)
    assert (found.left.exams, found.left.bytes) == (5, None)


def test_a_san_that_shows_few_of_the_waiting_folders_is_a_fuse(waiting):
    """Half mounted: nothing is taken for removed."""
    for seed in (1, 2, 3, 4):
        (waiting.san / f"exam{seed}").rename(waiting.folder / f"exam{seed}")
    found = _load(waiting, **_flags(20 * EXAM) | {"limits": {"free": 0, "same_error_files": 4}})
    assert found.failed
    assert "too few" in str(found.slices[0].why)
    assert found.left.exams == 5


def test_before_the_setting_and_before_the_first_night(archive):
    """Without days nothing is the first load's; before a scan nobody knows what is."""
    with pytest.raises(UsageError):
        _load(archive, backfill={"days": 0})
    with pytest.raises(NotFound):
        _load(archive)


def test_outside_its_hours_no_slice_begins(waiting):
    """Nor shortly before their end, nor before the next night."""
    for hours in ({"start": _clock(1), "end": _clock(5)}, {"start": _clock(-1), "end": _clock(0.1)}):
        with pytest.raises(Postponed, match="not the time"):
            _load(waiting, **_flags(**hours))
    with pytest.raises(Postponed, match="not the time"):
        _load(waiting, **_flags() | {"night": {"start": _clock(0.1), "end": _clock(4)}})


def test_the_night_comes_first(waiting):
    """Once its hours have begun no slice does before it has ended well."""
    began = {"night": {"start": _clock(-1), "end": _clock(8)}}
    later = NOW + timedelta(days=1)
    with pytest.raises(Postponed, match="comes first"):
        backfill(waiting.settings(**_flags() | began), "local", clock=lambda: later)
    assert not _load(waiting, **_flags() | began).failed  # after r1, a minute ago


def test_a_night_that_is_not_over_comes_first(waiting):
    """Between its steps a night holds no lease for long; a slice would make its scan stale."""
    place = waiting.place("r2", **_flags())
    place.catalog.start_run("r2", "local")
    with pytest.raises(Postponed, match="run r2 has not come to its report"):
        _load(waiting)


def test_a_slice_is_no_larger_than_the_time_allows(waiting):
    """By the speed of the slices before it, with ten minutes to spare."""
    speed = _load(waiting, 1).left.per_second
    end = (NOW + timedelta(hours=3)).replace(second=0, microsecond=0)
    late = end - timedelta(seconds=600 + 1.5 * EXAM / speed)
    flags = _flags(20 * EXAM, end=f"{end.astimezone(BERLIN):%H:%M}", start=_clock(-2))
    found = backfill(waiting.settings(**flags), "local", slices=1, clock=lambda: late)
    assert _folders(waiting, found.slices[0].run) == [b"exam3", b"exam2"]


def test_two_at_once(waiting):
    """The second is postponed and does not fence the first."""
    _load(waiting, 1)
    place = waiting.place(f"backfill-{datetime.now(BERLIN):%Y-%m-%d}-2", **_flags())
    place.catalog.start_run(place.run, "local")
    lease = place.catalog.take_lease("archive", place.run, place.holder)
    with pytest.raises(LeaseHeld):
        _load(waiting)
    place.catalog.check(lease)


def test_the_store_keeps_room_for_the_nights(waiting):
    """A first load that fills the store would stop them."""
    with pytest.raises(Fuse, match="room"):
        _load(waiting, **_flags() | {"limits": {"free": 1}})


def test_what_is_left_is_told_before_and_after(waiting):
    """Exams, files, bytes and dates are counted; how long is unknown before the first slice, then measured."""
    before = left(waiting.place(**_flags()))
    assert (before.exams, before.files, before.bytes, before.counted) == (5, 15, 5 * EXAM, True)
    assert [round((NOW - at).total_seconds() / 86400) for at in (before.newest, before.oldest) if at] == [360, 400]
    assert (before.per_second, before.seconds, before.windows) == (None, None, None)
    after = _load(waiting, 1).left
    assert after.bytes == 4 * EXAM
    assert after.seconds == pytest.approx(after.bytes / after.per_second)
    assert after.windows == 1


def test_the_first_load_reads_no_faster_than_it_may(waiting):
    """Each file is read twice, and a slice pauses until that was due."""
    rate = 2 * EXAM / 0.5
    began = time.monotonic()
    found = _load(waiting, 1, **_flags(mib_per_second=rate / 2**20))
    assert found.slices[0].exams == 1
    assert time.monotonic() - began > 0.5
