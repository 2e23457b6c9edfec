"""Days go by for a demonstration's catalog: everything in it is that much older, and the gate believes the clock."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from sdfo.catalog import tables
from sdfo.catalog.freeing import CLOCK
from sdfo.catalog.types import Moment
from sdfo.errors import UsageError
from sdfo.nightly.freeing.clock import OURS, doubt
from sdfo.nightly.freeing.expire import expire
from sdfo.testing.archive import Archive, fill, new_archive
from sdfo.testing.expiring import FREE, freed
from sdfo.testing.later import later, main

SPAN = timedelta(days=91)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    made = new_archive(tmp_path)
    fill(made.san, range(2), 16)
    assert made.night().good
    made.backup()
    catalog = made.place().catalog
    catalog.start_run("before", "local")
    expire(made.place("look", **FREE), dry_run=True)
    return made


def _moments(archive: Archive) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with archive.place().catalog.database.read() as conn:
        for table in tables.metadata.sorted_tables:
            for column in (each for each in table.columns if isinstance(each.type, Moment)):
                rows = conn.execute(select(column).order_by(*table.primary_key.columns)).scalars().all()
                found[f"{table.name}.{column.name}"] = rows
    return found


def test_every_moment_goes_back(archive: Archive) -> None:
    """Those of every table by the same span, both clocks of the gate's mark too, and none becomes known that was not."""
    before, clock = _moments(archive), archive.place().catalog.gate_marks()[CLOCK][1]
    changed = later(archive.settings(), SPAN)
    shifted = {name: clock[name] - SPAN.total_seconds() for name in ("wall", "since_boot")}
    assert archive.place().catalog.gate_marks()[CLOCK][1] == clock | shifted
    wanted = {name: [None if at is None else at - SPAN for at in rows] for name, rows in before.items()}
    assert _moments(archive) == wanted
    assert changed == sum(at is not None for rows in before.values() for at in rows) > 10


def test_the_gate_opens_by_it(archive: Archive) -> None:
    """Too young before; then all may go but for what must be of tonight; the clock is believed all the time."""
    assert set(expire(archive.place("t0", **FREE), dry_run=True).stopped) == {"first seen long ago"}
    later(archive.settings(), SPAN)
    assert doubt(archive.place("clock"), OURS) is None
    assert set(expire(archive.place("t1", **FREE), dry_run=True).stopped) == {
        "catalog backed up tonight",
        "last drill green",
    }
    catalog = archive.place().catalog
    catalog.note_step("before", "catalog-backup", "done", {})
    catalog.note_step("before", "drill", "done", {"green": True})
    assert freed(archive).files == 4
    later(archive.settings(), timedelta(days=8))
    catalog.note_step("before", "catalog-backup", "done", {})
    assert freed(archive, "e2").removed == 4


@pytest.mark.parametrize(
    "url", ["postgresql://db.example.org/sdfo", "sqlite:////srv/archive/catalog.db", "sqlite:////var/c.db"]
)
def test_a_real_archive_is_refused(archive: Archive, url: str) -> None:
    """PostgreSQL, or a file that lies in no demonstration's folder; nothing is opened."""
    with pytest.raises(UsageError, match="no demonstration"):
        later(archive.settings(catalog={"url": url}), SPAN)


def test_not_while_a_step_is_at_work(archive: Archive) -> None:
    """Its lease would be over at once."""
    archive.place().catalog.take_lease("archive", "r9", "somebody")
    before = _moments(archive)
    with pytest.raises(UsageError, match="r9 is at work"):
        later(archive.settings(), SPAN)
    assert _moments(archive) == before


def test_the_command(archive: Archive, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Says how many; of an archive that is no demonstration's that it is none, with 2."""
    monkeypatch.setenv("SDFO_CONF", str(archive.toml))
    assert main(["91"]) == 0
    assert capsys.readouterr().out.startswith("91 days go by: ")
    monkeypatch.setenv("SDFO__CATALOG__URL", "postgresql://db.example.org/sdfo")
    assert main(["91"]) == 2
    assert "no demonstration" in capsys.readouterr().err
