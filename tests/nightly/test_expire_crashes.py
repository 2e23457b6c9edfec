"""kill -9 at each crash point of freeing the SAN, and then once more: no file is lost, and all go that may."""

from __future__ import annotations

import hashlib
import os
import shutil
from functools import partial
from pathlib import Path

import pytest

from sdfo.client import Archive as Client
from sdfo.crashpoints import NAMES
from sdfo.testing.archive import Archive
from sdfo.testing.dying import killed_at, killed_at_fsync
from sdfo.testing.expiring import end_grace, files_of, freed, studies
from sdfo.tiers.aside import Aside, AsideFile

MOVING = [name for name in NAMES if name.startswith("expire.") and name not in ("expire.put-back", "expire.unlinked")]
REMOVING = ["expire.unlinked", "expire.forgotten"]


def killed(archive: Archive, point: str) -> None:
    assert killed_at(point, lambda: freed(archive))


def everywhere(archive: Archive) -> set[str]:
    """SHA-256 of all that lies on the SAN, aside or not."""
    own = archive.san / ".sdfo-expired"
    aside = set().union(*(files_of(run).values() for run in own.iterdir())) if own.exists() else set()
    return aside | {digest for path, digest in files_of(archive.san).items() if not path.startswith(".sdfo")}


def ends_well(archive: Archive, before: dict[str, str]) -> None:
    """The next runs free the rest, remove all of it in the end, and every image is given back."""
    freed(archive)
    end_grace(archive)
    last = freed(archive)
    assert (last.grace, last.files, last.failed) == (0, 0, {})
    assert everywhere(archive) == set()
    catalog = archive.place().catalog
    assert {file.state for folder in catalog.folders().values() for file in catalog.files(folder.id).values()} == {
        "freed"
    }
    client = Client(archive.settings())
    found = {hashlib.sha256(data).hexdigest() for study in studies(archive) for _, data in client.exam(study)}
    assert found == set(before.values())
    assert archive.night("after").good


@pytest.mark.parametrize("point", [p if p in MOVING[1:3] else pytest.param(p, marks=pytest.mark.long) for p in MOVING])
def test_killed_while_files_are_moved(ripe: Archive, point: str) -> None:
    """Each file lies where it lay, or aside; the next run, of the same id, goes on."""
    before = files_of(ripe.san)
    if point in REMOVING:
        freed(ripe)
        end_grace(ripe)
    killed(ripe, point)
    if point not in REMOVING:
        assert everywhere(ripe) == set(before.values())
    ends_well(ripe, before)


def test_killed_while_files_are_removed(ripe: Archive) -> None:
    """One is gone for good, the catalog does not know; another run forgets it and removes the rest."""
    before = files_of(ripe.san)
    freed(ripe)
    end_grace(ripe)
    killed(ripe, "expire.unlinked")
    assert len(everywhere(ripe)) == 3
    ends_well(ripe, before)


def test_killed_with_another_file_in_its_hands(ripe: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was written between reading and moving lies aside, unread: the next run puts it back, and a night archives it."""
    real, before = Aside.take, files_of(ripe.san)

    def changing(self: Aside, run: str, path: bytes) -> AsideFile:
        with open(os.path.join(os.fsencode(ripe.san), path), "ab") as file:
            file.write(b"more")
        return real(self, run, path)

    monkeypatch.setattr(Aside, "take", changing)
    killed(ripe, "expire.renamed")
    monkeypatch.undo()
    found = freed(ripe, "e1")
    assert (found.back, found.files) == (1, 3)
    (changed,) = files_of(ripe.san / "exam00").values()
    assert changed not in before.values()
    assert ripe.night("r2").ledger.lines["archived tonight"] == 1
    client = Client(ripe.settings())
    back = {hashlib.sha256(data).hexdigest() for study in studies(ripe) for _, data in client.exam(study)}
    assert back >= set(before.values())


@pytest.mark.long
def test_killed_anywhere(may_go: Archive, tmp_path: Path) -> None:
    """At each fsync of moving, and of removing: nothing is lost, and the next runs end well."""
    deaths = 0
    for removing in (False, True):
        ready = may_go.copy(tmp_path / f"ready-{removing}")
        before = files_of(ready.san)
        if removing:
            freed(ready)
            end_grace(ready)
            ready.place().catalog.close()
        for at in range(1, 1000):
            dying = ready.copy(tmp_path / "dying")
            if not killed_at_fsync(at, partial(freed, dying)):
                break
            if not removing:
                assert everywhere(dying) == set(before.values())
            ends_well(dying, before)
            shutil.rmtree(dying.folder)
            deaths += 1
        shutil.rmtree(dying.folder)
    assert deaths > 30
