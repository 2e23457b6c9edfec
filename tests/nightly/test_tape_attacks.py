"""What a tape system, a clumsy hand or bad luck may do to the staging area: nothing of it loses an image or stops the rest."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from sdfo.catalog import Query
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
