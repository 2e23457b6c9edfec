"""Copies go from HDFS and near-line only when the settings say so, and never the last ones that were read again."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest

from sdfo.catalog import QuarantineNote
from sdfo.catalog.freeing import SHUT
from sdfo.catalog.holds import HoldKind
from sdfo.catalog.rebuild import rebuild
from sdfo.client import Archive as Client
from sdfo.errors import WrongStore
from sdfo.model import Form, Tier
from sdfo.nightly.care import scrub as scrub_step
from sdfo.nightly.care.elsewhere import Elsewhere
from sdfo.nightly.care.restore import restore
from sdfo.nightly.freeing.expire import ExpireReport
from sdfo.nightly.freeing.facts import Asked, Asking
from sdfo.nightly.freeing.retire import retire
from sdfo.testing.archive import Archive, fill, new_archive
from sdfo.testing.dying import killed_at
from sdfo.testing.expiring import SPOILT, age, all_may_go, files_of, freed, moment, sql, studies
from sdfo.tiers.nearline import ID_FILE


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Two exams, 400 days old, gone from the SAN, with copies on HDFS, near-line and a tape that was read back."""
    archive = new_archive(tmp_path_factory.mktemp("retire"))
    fill(archive.san, range(2), 16)
    (archive.folder / "before").mkdir()
    shutil.copytree(archive.san, archive.folder / "before", dirs_exist_ok=True)
    assert archive.night().good
    all_may_go(archive)
    assert freed(archive).files == 4
    age(archive, 400)
    for _, copy in archive.place().catalog.page_of_copies("nearline"):
        values = {"part": copy.part_id, "path": f"V1/{copy.path}", "size": copy.size, "check": copy.check}
        sql(
            archive,
            "INSERT INTO copy VALUES (:part, 'tape', :path, :size, :check, 'original', :form, 'verified', :at)",
            form=str(Form.FILE),
            at=moment(3),
            **values,
        )
    archive.place().catalog.close()
    return archive


@pytest.fixture
def old(template: Archive, tmp_path: Path) -> Archive:
    return template.copy(tmp_path / "archive")


YEAR: dict[str, Any] = {"hdfs_days": 365, "nearline_days": 390, "copies": ["hdfs", "nearline", "tape"]}


def retired(
    archive: Archive, tier: Tier = Tier.HDFS, run: str = "x1", *, dry_run: bool = False, **own: Any
) -> ExpireReport:
    return retire(archive.place(run, expire=YEAR | own), tier, dry_run=dry_run)


def images(archive: Archive) -> set[str]:
    client = Client(archive.settings())
    return {hashlib.sha256(data).hexdigest() for study in studies(archive) for _, data in client.exam(study)}


def end_grace(archive: Archive) -> None:
    sql(archive, "UPDATE outcome SET ended = :at, started = :at WHERE step LIKE 'expire-%'", at=moment(8))


def test_by_default_nothing_goes(old: Archive) -> None:
    """For ever is the default, on both."""
    for tier in (Tier.HDFS, Tier.NEARLINE):
        assert retired(old, tier, hdfs_days=None, nearline_days=None).files == 0
    assert len(old.parts()) == len(old.near()) == 2


def test_hdfs_is_freed_in_two_steps(old: Archive) -> None:
    """Aside, then for good; every image is read from near-line."""
    assert retired(old, dry_run=True).files == 2
    assert len(old.parts()) == 2
    found = retired(old)
    assert (found.files, found.grace, found.removed, found.stopped) == (2, 2, 0, {})
    assert old.parts() == {}
    assert images(old) == set(files_of(old.folder / "before").values())
    end_grace(old)
    assert retired(old, run="x2").removed == 2
    assert not list(old.place().store.list("expired"))
    assert images(old) == set(files_of(old.folder / "before").values())


def test_the_last_copies_that_were_read_again_stay(old: Archive) -> None:
    """Once HDFS is free, near-line stays; and without a tape that was read back, HDFS does."""
    retired(old)
    assert retired(old, Tier.NEARLINE, "x2").files == 0
    assert len(old.near()) == 2


def test_a_receipt_alone_frees_no_hdfs(old: Archive) -> None:
    """Nobody has read that tape."""
    sql(old, "UPDATE copy SET state = 'written', verified_at = NULL WHERE tier = 'tape'")
    assert retired(old).alone == {"second copy re-read": 2}
    assert len(old.parts()) == 2


def test_near_line_is_freed_before_hdfs(old: Archive) -> None:
    """Where the settings say so: HDFS and tape stay."""
    assert retired(old, Tier.NEARLINE).files == 2
    assert (len(old.parts()), old.near()) == (2, {})
    assert retired(old, Tier.HDFS, "x2").files == 0
    assert old.backup("b9").parts == 0


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_part_with_a_file_beside_it_stays(old: Archive, dry_run: bool) -> None:
    """Another part may name the same file: it is kept, and counted with its reason, not as failed."""
    sql(old, "UPDATE instance SET path = 'exams/large.dcm' WHERE part_id = 1 AND number = 1")
    found = retired(old, dry_run=dry_run)
    assert (found.files, found.failed) == (1, {})
    assert found.stopped == found.alone == {"no file beside it": 1}


def test_a_hold_keeps_copies_everywhere(old: Archive) -> None:
    """Also those in their days of grace."""
    old.place().catalog.hold(HoldKind.STUDY, studies(old)[:1], "court", "ann")
    assert retired(old).files == 1
    old.place().catalog.hold(HoldKind.STUDY, studies(old), "court", "ann")
    end_grace(old)
    assert retired(old, run="x2").removed == 0
    assert len(list(old.place().store.list("expired"))) == 1


def _nearest_not_read(archive: Archive) -> None:
    sql(archive, "UPDATE copy SET verified_at = :at WHERE tier = 'nearline'", at=moment(101))


def _shut(archive: Archive) -> None:
    archive.place().catalog.mark_gate(SHUT, {"holds": []})


FALSE = {line: spoil for line, (spoil, flags) in SPOILT.items() if not flags} | {
    "nearest copy re-read lately": _nearest_not_read,
    "open since the last rebuild": _shut,
}
"""What makes one line false for parts on HDFS too. That a part is published is so; what it holds is read by no line."""
ALONE = [line for line in FALSE if line not in ("part published", "unchanged since archived")]


@pytest.mark.parametrize(
    "line", [line if line == "no hold" else pytest.param(line, marks=pytest.mark.long) for line in ALONE]
)
def test_with_one_line_false_nothing_goes_from_hdfs(old: Archive, line: str) -> None:
    """Each in turn, the others true: first no part is moved; then what lies in its days of grace is not removed."""
    shutil.copytree(old.folder, old.folder.parent / "again", symlinks=True)
    FALSE[line](old)
    assert retired(old, dry_run=True).alone == retired(old).alone == {line: 2}
    assert len(old.parts()) == 2
    again = Archive(old.folder.parent / "again")
    assert retired(again).files == 2
    end_grace(again)
    FALSE[line](again)
    found = retired(again, run="x2")
    assert (found.removed, found.grace, found.kept) == (0, 2, {line: 2})


def test_nothing_is_moved_on_another_store(old: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of near-line with another id is mounted in its place once all was looked at: its files stay where they lie."""
    real, near, away = Asking.looked, old.folder / "nearline", old.folder / "away"

    def swapping(self: Asking, asked: Asked, changed: str | None = None) -> Asked:
        found = real(self, asked, changed)
        if not away.exists():
            near.rename(away)
            shutil.copytree(away, near)
            (near / ID_FILE).write_text("another")
        return found

    monkeypatch.setattr(Asking, "looked", swapping)
    before = files_of(near)
    with pytest.raises(WrongStore):
        retired(old, Tier.NEARLINE)
    assert files_of(near) == before


def test_what_is_set_aside_in_its_folder_keeps_a_part(old: Archive) -> None:
    """A file that cannot be read shows no study, and a part no folder."""
    catalog = old.place().catalog
    for folder in catalog.folders().values():
        catalog.open_quarantine("r2", QuarantineNote("unreadable", b"y"), study=None, folder_id=folder.id)
    assert retired(old).alone == {"nothing set aside": 2}


def test_a_scrub_beside_it_brings_no_copy_back(old: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was read before it went, and one that was missed since: both stay retired, and nothing is made again."""
    real, found = scrub_step.fault, list[ExpireReport]()

    def beside(*words: Any) -> str | None:
        fault = real(*words)
        if not found:
            found.append(retired(old))
        return fault

    monkeypatch.setattr(scrub_step, "fault", beside)
    assert scrub_step.scrub(old.place("s1")).damaged == 0
    assert found[0].files == 2
    assert [copy.state for _, copy in old.place().catalog.page_of_copies("hdfs")] == ["retired"] * 2
    assert old.parts() == {}


@pytest.mark.parametrize("point", ["retire.renamed", "retire.committed"])
def test_killed_it_is_made_good_by_the_next(old: Archive, point: str) -> None:
    """What was moved and not committed is moved back first; then all goes as if nothing had been."""
    assert killed_at(point, lambda: retired(old))
    assert images(old) == set(files_of(old.folder / "before").values())
    retired(old)
    assert old.parts() == {}
    states = [copy.state for _, copy in old.place().catalog.page_of_copies("hdfs")]
    assert states == ["retired", "retired"]
    assert len(list(old.place().store.list("expired"))) == 2


def test_a_rebuilt_catalog_knows_what_went_from_hdfs(old: Archive) -> None:
    """Out of its copy on near-line, to the last column; a part that was lost there, and did not go on purpose, waits for a restore."""
    retired(old, hdfs_days=365)
    before = [old.place().catalog.locate(study) for study in studies(old)]
    place = old.place("rebuild")
    report = rebuild(
        place.catalog,
        place.store,
        place.mounted_nearline,
        elsewhere=Elsewhere(place, place.mounted_nearline),
        replace=True,
    )
    assert (report.parts, report.missing, report.refused) == (2, (), ())
    assert images(old) == set(files_of(old.folder / "before").values())
    after = [old.place().catalog.locate(study) for study in studies(old)]
    near = [[each for each in found if each.tier is Tier.NEARLINE] for found in before]
    assert [[each for each in found if each.tier is Tier.NEARLINE] for found in after] == near
    assert [copy.state for _, copy in place.catalog.page_of_copies("hdfs")] == ["retired"] * 2


def test_a_rebuilt_catalog_knows_what_was_lost_on_hdfs(old: Archive) -> None:
    """Its copy is damaged, and one command brings it back."""
    before = old.parts()
    (old.folder / "hdfs" / min(before)).unlink()
    place = old.place("rebuild")
    report = rebuild(
        place.catalog,
        place.store,
        place.mounted_nearline,
        elsewhere=Elsewhere(place, place.mounted_nearline),
        replace=True,
    )
    assert (report.parts, report.missing, report.refused) == (2, (), ())
    assert sorted(copy.state for _, copy in place.catalog.page_of_copies("hdfs")) == ["damaged", "verified"]
    assert restore(old.place("x9"), None).restored == 1
    assert old.parts() == before
