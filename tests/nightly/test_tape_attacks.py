"""What a tape system, a clumsy hand or bad luck may do to the staging area: nothing of it loses an image or stops the rest."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import delete

from sdfo.catalog import Query, tables
from sdfo.model import Tier
from sdfo.nightly.recall import recall
from sdfo.nightly.receiving import attend
from sdfo.testing.archive import Archive, fill, new_archive

CLEARING = {"tape": {"root": "tape", "clear_at": 1e-9, "close_at": 1.0}}
ODD = ["a b", "$(x)", "M\udcfcller", "..", "x\ny"]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Two exams are published and staged, and their volume stands in ready/."""
    archive = new_archive(tmp_path_factory.mktemp("offered"))
    fill(archive.san, range(2), 16)
    assert archive.night().good
    archive.stage()
    archive.place().catalog.close()
    return archive


@pytest.fixture
def offered(template: Archive, tmp_path: Path) -> Archive:
    shutil.copytree(template.folder, tmp_path / "offered")
    return Archive(tmp_path / "offered")


@pytest.fixture
def taped(offered: Archive) -> Archive:
    """The volume is on tape alone."""
    offered.library().once()
    offered.stage("t2")
    return offered


def area(archive: Archive) -> Path:
    return archive.folder / "tape"


def volume(archive: Archive) -> str:
    return archive.place().catalog.volumes()[0].name


def states(archive: Archive) -> set[str]:
    return {copy.state for _, copy in archive.place().catalog.page_of_copies(Tier.TAPE)}


def study(archive: Archive) -> str:
    return next(iter(archive.place().catalog.find(Query()))).study


def receipt(archive: Archive, **fields: object) -> Path:
    (row,) = archive.place().catalog.volumes()
    told = {"volume": row.name, "barcode": "A00017L9", "position": "4", "sha256": row.sha256} | fields
    path = area(archive) / "receipts" / f"{row.name}.written.json"
    path.write_text(json.dumps({name: value for name, value in told.items() if value is not None}))
    return path


def arrived(archive: Archive) -> Path:
    recall(archive.place(), study(archive))
    archive.library().once()
    (path,) = (area(archive) / "in").glob("*.tar")
    return path


@pytest.mark.parametrize("name", ODD)
def test_odd_names_stop_nothing(offered: Archive, name: str) -> None:
    """A file whose name no volume could have, in any folder of the tape system's."""
    for file in (f"receipts/{name}.written.json", f"in/{name}.tar", f"request/{name}.json", f"retired/{name}.tar"):
        (area(offered) / file).write_bytes(b"{}")
    offered.library().once()
    done = offered.stage("t2", **CLEARING)
    assert (done.receipts, states(offered)) == (1, {"verified"})
    recall(offered.place(), study(offered))
    offered.library().once()
    assert attend(offered.place()).done == 1


def test_a_receipt_that_is_still_being_written_is_waited_for(offered: Archive) -> None:
    """A tape system may write it under its final name: what is no JSON and just changed is not refused yet."""
    path = receipt(offered)
    whole = path.read_text()
    path.write_text(whole[:20])
    assert offered.stage("t2").refused == 0
    path.write_text(whole)
    assert offered.stage("t3").receipts == 1
    assert states(offered) == {"verified"}


def test_a_receipt_tells_where_the_volume_went(taped: Archive) -> None:
    """It was copied to another tape: a later receipt has another barcode, and that one is asked for."""
    receipt(taped, barcode="NEW001L9", position="9")
    os.utime(area(taped) / "receipts" / f"{volume(taped)}.written.json")
    taped.stage("t3")
    (row,) = taped.place().catalog.volumes()
    assert (row.state, row.barcode, row.position) == ("verified", "NEW001L9", "9")


def test_a_later_receipt_of_a_bad_tape_is_heard(taped: Archive) -> None:
    """The tape was read once more, and gave other bytes: nobody counts on it from then on."""
    receipt(taped, sha256="0" * 64)
    done = taped.stage("t3", now=False)
    assert (done.refused, states(taped)) == (1, {"damaged"})


@pytest.mark.parametrize("text", ['{"volume": "V", "barcode": "\\ud800\\u0000\\u001b[2J"}', "[" * 100_000])
def test_a_receipt_with_anything_in_it(offered: Archive, text: str) -> None:
    """What the catalog keeps of it can be printed; what is nested without end is no JSON."""
    path = receipt(offered)
    path.write_text(text.replace("V", volume(offered), 1))
    os.utime(path, (1, 1))
    offered.stage("t2")
    (row,) = offered.place().catalog.volumes()
    assert row.barcode.isprintable()


def test_a_reason_with_anything_in_it(taped: Archive) -> None:
    """It ends the recall, and nothing else."""
    row = recall(taped.place(), study(taped))
    (area(taped) / "failed" / f"{volume(taped)}.json").write_text('{"reason": "\\ud800\\u0000\\u001b[2Jdone"}')
    attend(taped.place())
    found = taped.place().catalog.recall(row.id)
    assert found.state == "failed"
    assert found.reason is not None
    assert found.reason.isprintable()


def test_a_receipt_of_a_volume_whose_manifest_is_here_is_kept(offered: Archive) -> None:
    """The catalog was lost and came back without it."""
    path = receipt(offered)
    with offered.place().catalog.database.write() as conn:
        conn.execute(delete(tables.copy).where(tables.copy.c.tier == "tape"))
        conn.execute(delete(tables.volume))
    offered.stage("t2", now=False)
    assert path.exists()


def test_a_step_killed_while_it_takes_a_receipt(offered: Archive) -> None:
    """Entered, and not yet moved: the next one moves it, so that the tape system does not write it twice."""
    receipt(offered, sha256=None)
    (row,) = offered.place().catalog.volumes()
    offered.place().catalog.keep_volume(replace(row, state="written", barcode="A00017L9", position="4"))
    offered.stage("t2")
    assert not list((area(offered) / "ready").glob("*.ready"))
    assert list((area(offered) / "retired").glob("*.tar"))
