"""Calls with a deadline, and several ways to one piece."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from sdfo.errors import Missing, Unavailable
from sdfo.stores.hdfs import reads
from sdfo.stores.hdfs.calls import Failed, Late, Race
from sdfo.stores.hdfs.reads import Read


@pytest.fixture(autouse=True)
def trusting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is known to hang."""
    monkeypatch.setattr(reads, "_wary_until", 0.0)


def test_the_first_answer_counts() -> None:
    """A failure before it does not; the way's name tells which it was."""
    race, slow = Race[str](), threading.Event()
    race.begin(lambda: str(slow.wait(5)), "slow")
    race.begin(lambda: [][1], "failing")
    race.begin(lambda: "answer", "quick")
    assert race.first(time.monotonic() + 5) == ("answer", "quick")
    slow.set()


def test_a_call_that_hangs_is_left_behind() -> None:
    """By the deadline; the next call is not held up."""
    hung, race = threading.Event(), Race[bool]()
    race.begin(hung.wait)
    began = time.monotonic()
    with pytest.raises(Late):
        race.first(began + 0.2)
    assert 0.2 <= time.monotonic() - began < 0.6
    other = Race[int]()
    other.begin(lambda: 1)
    assert other.first(time.monotonic() + 5)[0] == 1
    hung.set()


def test_errors_that_are_no_exceptions() -> None:
    """As the client's panics are: caught in the thread, and told."""
    race = Race[None]()

    def panic() -> None:
        raise BaseException("panic")

    race.begin(panic)
    with pytest.raises(Failed):
        race.first(time.monotonic() + 5)
    assert [str(failure) for failure in race.failures] == ["panic"]


def test_threads_are_kept_for_the_next_call() -> None:
    """A thousand calls one after the other take few threads."""
    names = set()
    for _ in range(1000):
        race = Race[int]()
        race.begin(threading.get_ident)
        names.add(race.first(time.monotonic() + 5)[0])
    assert len(names) < 10


def test_a_hanging_call_does_not_hold_up_the_end_of_the_process() -> None:
    """Its thread is a daemon."""
    program = (
        "import time\n"
        "from sdfo.stores.hdfs.calls import Late, Race\n"
        "race = Race()\n"
        "race.begin(lambda: time.sleep(60))\n"
        "try: race.first(time.monotonic() + 0.1)\n"
        "except Late: print('late')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == "late\n"


# ---- one piece by several ways


def _read(first: reads.Way, *others: reads.Way, deadline: float = 3.0) -> Read:
    return Read("path", deadline, 0.1, first, others)


def _hang(until: float) -> bytes:
    time.sleep(max(0.0, until - time.monotonic()) + 0.2)
    return b"too late"


def _fail(until: float) -> bytes:
    raise OSError("Connection refused")


def test_the_other_ways_are_not_gone_in_vain() -> None:
    """An answer in time is taken as it is."""
    asked = list[float]()
    assert _read(lambda _: b"data", lambda until: asked.append(until) or b"other").result() == b"data"
    assert asked == []
    assert not reads.wary()


def test_another_way_around_what_hangs() -> None:
    """Soon, and it is remembered."""
    began, read = time.monotonic(), _read(_hang, lambda _: b"data")
    assert read.result() == b"data"
    assert time.monotonic() - began < 1
    assert read.overtaken
    assert reads.wary()


def test_another_way_around_what_fails() -> None:
    """At once; nothing hangs."""
    began, read = time.monotonic(), _read(_fail, lambda _: b"data")
    assert read.result() == b"data"
    assert time.monotonic() - began < 0.09
    assert read.overtaken
    assert not reads.wary()


def test_what_fails_now_may_succeed_before_the_deadline() -> None:
    """A NameNode that has just started knows of no block for a moment: the ways are gone again, less and less often."""
    tries = list[float]()

    def later(until: float) -> bytes:
        tries.append(time.monotonic())
        return b"data" if len(tries) > 2 else _fail(until)

    assert _read(_fail, later).result() == b"data"
    assert len(tries) == 3


def test_nothing_helps() -> None:
    """By the deadline, with the first failure; or none at all."""
    for ways, said in (((_fail, _fail), "Connection refused"), ((_hang, _hang), "no answer within 0.5 s")):
        began = time.monotonic()
        with pytest.raises(Unavailable) as told:
            _read(*ways, deadline=0.5).result()
        assert time.monotonic() - began < 1
        assert said in str(told.value)
        assert told.value.path == "path"


def test_what_no_other_way_would_change() -> None:
    """Comes out at once."""

    def gone(until: float) -> bytes:
        raise FileNotFoundError("File does not exist: /x")

    began = time.monotonic()
    with pytest.raises(Missing):
        _read(gone, _hang).result()
    assert time.monotonic() - began < 0.09
