"""Runs and their steps, and the night that an outside monitor asks for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sdfo.catalog import Catalog
from sdfo.catalog.journal import read
from sdfo.errors import Full


def test_a_step_keeps_its_times_and_its_report(catalog: Catalog) -> None:
    """Started once, ended once, with whatever JSON can hold."""
    catalog.start_run("run-1", "local")
    catalog.note_step("run-1", "scan", "started")
    started = catalog.steps("run-1")["scan"]
    assert (started.state, started.ended, started.report) == ("started", None, {})
    catalog.note_step("run-1", "scan", "done", {"seen": 3, "by": ["a", None, "ä\0\udc80"]})
    done = catalog.steps("run-1")["scan"]
    assert (done.state, done.started) == ("done", started.started)
    assert done.ended is not None
    assert started.started <= done.ended <= datetime.now(UTC) + timedelta(seconds=5)
    assert done.report == {"seen": 3, "by": ["a", None, "ä\0\udc80"]}


def test_a_repeated_step_replaces_what_it_left(catalog: Catalog) -> None:
    """A step that failed and is run again stands as it ended last."""
    catalog.start_run("run-1", "local")
    catalog.note_step("run-1", "convert", "started")
    catalog.note_step("run-1", "convert", "failed", {"error": "x"})
    before = catalog.steps("run-1")["convert"]
    catalog.note_step("run-1", "convert", "started")
    again = catalog.steps("run-1")["convert"]
    assert (again.state, again.ended, again.report) == ("started", None, {})
    assert again.started > before.started
    catalog.note_step("run-1", "convert", "done", {})
    assert catalog.steps("run-1")["convert"].state == "done"


def test_steps_come_in_the_order_they_started(catalog: Catalog) -> None:
    """Not by name."""
    catalog.start_run("run-1", "local")
    for step in ("scan", "convert", "verify", "publish", "report"):
        catalog.note_step("run-1", step, "started")
    assert list(catalog.steps("run-1")) == ["scan", "convert", "verify", "publish", "report"]


def test_runs_are_listed_newest_first(catalog: Catalog) -> None:
    """Starting a run again keeps its time."""
    for run in ("a", "b", "c"):
        catalog.start_run(run, "local")
    first = catalog.runs()
    catalog.start_run("a", "spark")
    assert [run.run for run in catalog.runs(2)] == ["c", "b"]
    assert [(run.run, run.started) for run in catalog.runs()] == [(run.run, run.started) for run in first]
    assert catalog.runs()[-1].engine == "spark"


def test_the_last_good_night_is_one_whose_report_says_ok(catalog: Catalog) -> None:
    """A failed night, an open one, and another step's ok do not count."""
    assert catalog.last_good_night() is None
    for run in ("good", "bad", "open", "other"):
        catalog.start_run(run, "local")
    catalog.note_step("good", "report", "done", {"ok": True})
    ended = catalog.steps("good")["report"].ended
    catalog.note_step("bad", "report", "failed", {"ok": True})
    catalog.note_step("bad", "report", "done", {"ok": False})
    catalog.note_step("open", "report", "started", {"ok": True})
    catalog.note_step("other", "publish", "done", {"ok": True})
    assert catalog.last_good_night() == ended


def test_a_postponed_step_is_over_for_now_and_no_good_one(catalog: Catalog) -> None:
    """It has an end and a cause, counts for no good night, and is in the catalog alone; begun again it is like any other."""
    catalog.start_run("run-1", "local")
    catalog.note_step("run-1", "report", "started")
    catalog.note_step("run-1", "report", "postponed", {"error": "safe mode", "ok": True})
    row = catalog.steps("run-1")["report"]
    assert (row.state, row.ended is None, row.report["error"]) == ("postponed", False, "safe mode")
    assert catalog.last_good_night() is None
    assert list(read(catalog._journal)) == []
    catalog.note_step("run-1", "report", "started")
    assert catalog.steps("run-1")["report"].report == {}


def test_that_a_step_failed_is_noted_though_the_journal_takes_nothing(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store may be what failed. That one is done is not: a catalog built again would not know of it."""

    def full(path: str, data: bytes) -> None:
        raise Full("no room", path=path)

    monkeypatch.setattr(catalog._journal, "put", full)
    catalog.start_run("run-1", "local")
    catalog.note_step("run-1", "convert", "started")
    with pytest.raises(Full):
        catalog.note_step("run-1", "convert", "done", {})
    assert catalog.steps("run-1")["convert"].state == "started"
    catalog.note_step("run-1", "convert", "failed", {"error": "full"})
    assert catalog.steps("run-1")["convert"].state == "failed"
