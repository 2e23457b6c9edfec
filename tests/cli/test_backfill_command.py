"""The first load on the command line: what it says before, meanwhile and after, and the exit codes."""

from __future__ import annotations

import os
import time
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

PATIENT = "Zwirbelhuber"


def _clock(hours: float) -> str:
    return f"{datetime.now(ZoneInfo('Europe/Berlin')) + timedelta(hours=hours):%H:%M}"


def _set(**more: str) -> dict[str, str]:
    """Any hour is the first load's, the night begins in some hours, and a slice holds about three exams."""
    settings = {
        "BACKFILL__DAYS": "30",
        "BACKFILL__START": "00:00",
        "BACKFILL__END": "00:00",
        "BACKFILL__GIB_PER_RUN": "0.00001",
        "NIGHT__START": _clock(6),
        "NIGHT__END": _clock(7),
        "LIMITS__FREE": "0",
    }
    return {f"SDFO__{name}": value for name, value in (settings | more).items()}


@pytest.fixture
def old(site):
    """Four exams of last year, one file of which is damaged; a night has been."""
    for seed in range(4):
        files = site.exam(seed)
        if seed == 1:
            files[1].write_bytes(files[1].read_bytes()[:-100])
        for file in files:
            os.utime(file, (time.time() - (360 + seed) * 86400,) * 2)
    site.json("init")
    site.json("night", **_set())
    return site


def test_first_look_then_load_then_nothing_is_left(old):
    """`--dry-run` changes nothing and says unknown; slices are told one by one; status has a line while something waits."""
    before = old.json("backfill", "--dry-run", **_set())["left"]
    assert (before["exams"], before["files"], before["seconds"]) == (4, 16, None)
    assert "unknown before the first slice" in old.run("backfill", "--dry-run", **_set()).stdout
    assert "4 exams wait" in old.run("status", **_set()).stdout
    one = old.json("backfill", "--slices", "1", **_set())
    assert (len(one["slices"]), one["failed"], one["stopped"]) == (1, False, "1 slice done, as asked for")
    assert "of work at the" in old.run("backfill", "--dry-run", **_set()).stdout
    done = old.run("backfill", **_set())
    assert done.returncode == 0
    assert "stopped: nothing waits any more" in done.stdout
    assert "sdfo quarantine" in done.stdout
    assert "exams wait" not in old.run("status", **_set()).stdout
    assert old.json("backfill", **_set())["slices"] == []


def test_no_name_is_told(old):
    """Neither on standard output nor on standard error, in text or as JSON."""
    for words in (("backfill", "--dry-run"), ("backfill", "--slices", "1"), ("--json", "backfill")):
        done = old.run(*words, **_set())
        assert done.returncode == 0
        assert PATIENT not in done.stdout + done.stderr


def test_progress_is_on_standard_error(old):
    """One document on standard output; the lines of each slice's phases beside it."""
    done = old.run("--json", "backfill", "--slices", "1", **_set())
    assert len(done.stdout.splitlines()) == 1
    assert "backfill 1/1 exams" in done.stderr.splitlines()


def test_not_now_is_75(old):
    """Outside its hours, with nothing changed."""
    said = old.json("backfill", code=75, **_set(BACKFILL__START=_clock(2), BACKFILL__END=_clock(4)))
    assert said["error"] == "Postponed"
    assert old.json("backfill", "--dry-run", **_set())["left"]["exams"] == 4


def test_a_slice_that_is_not_good_is_1(old):
    """The fuse's cause is told with the command after it."""
    said = old.json("backfill", code=1, **_set(LIMITS__SAME_ERROR_FILES="1", BACKFILL__GIB_PER_RUN="1"))
    assert [each["good"] for each in said["slices"]] == [False]
    assert said["next"] == f"sdfo convert --run {said['slices'][0]['run']}"


def test_without_a_first_load_is_2_and_before_a_night_is_1(site):
    """Each names what comes first."""
    site.json("init")
    assert "backfill.days" in site.json("backfill", code=2)["next"]
    assert site.json("backfill", "--dry-run", code=1, **_set())["next"] == "sdfo night"
