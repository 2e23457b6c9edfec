"""The catalog against the tiers, both ways: each kind of difference is named, and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sdfo.model import Tier
from sdfo.nightly.care import compare as comparing
from sdfo.nightly.care.compare import compare, tiers
from sdfo.nightly.tape.stage import stage
from sdfo.testing.archive import Archive, fill, new_archive
from sdfo.testing.exams import make_exam
from sdfo.tiers.tape import contents


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """Two exams on HDFS and near-line, one of them with a file that lies apart."""
    made = new_archive(tmp_path)
    fill(made.san, range(1))
    fill(made.san, range(1, 2), size=800)
    hdfs = made.settings().hdfs.model_copy(update={"max_record_mib": 1})
    assert made.night(hdfs=hdfs).good
    assert made.backup().parts == 2
    assert [path for path in made.parts() if path.endswith(".dcm")]
    return made


def found(archive: Archive, **words: Any) -> list[tuple[str, str, str]]:
    place = archive.place()
    return [(row.tier, row.what, row.path) for row in compare(place, tiers(place), **words).rows]


def a_part(archive: Archive) -> str:
    return next(path for path in archive.parts() if path.endswith(".sdicom"))


def test_a_whole_archive_agrees(archive: Archive) -> None:
    """By listing and by header, with every file counted."""
    for checks in (False, True):
        report = compare(archive.place(), tiers(archive.place()), checks=checks)
        assert (report.equal, report.rows) == (True, ())
        assert [(each.tier, each.files, each.expected) for each in report.tiers if each.tier != "tape"] == [
            (tier, len(archive.parts()), len(archive.parts())) for tier in ("hdfs", "nearline")
        ]


@pytest.mark.parametrize("tier", ["hdfs", "nearline"])
def test_each_difference_is_named(archive: Archive, tier: str) -> None:
    """A file that is gone, one too many, one that was cut; a file that lies apart counts as much."""
    paths = sorted(archive.parts())
    folder = archive.folder / tier
    (folder / paths[0]).rename(folder / paths[0].replace(".", "x.", 1))
    (folder / paths[1]).write_bytes((folder / paths[1]).read_bytes()[:-1])
    apart = next(path for path in paths if path.endswith(".dcm"))
    (folder / apart).unlink(missing_ok=True)
    expected = {(tier, "missing", paths[0]), (tier, "unknown", paths[0].replace(".", "x.", 1))}
    expected |= {(tier, "another size", paths[1])} if apart != paths[1] else set()
    expected |= {(tier, "missing", apart)}
    assert set(found(archive)) == expected
    report = compare(archive.place(), [Tier(tier)], most=1)
    assert (len(report.rows), sum(report.differ.values())) == (1, len(expected))
    other = "nearline" if tier == "hdfs" else "hdfs"
    assert compare(archive.place(), [Tier(other)]).equal


def test_another_file_of_the_same_size_is_found_by_its_header(archive: Archive) -> None:
    """The name says the check; only `checks` opens the file to see whether that is so."""
    path = a_part(archive)
    file = archive.folder / "hdfs" / path
    data = bytearray(file.read_bytes())
    at = data.index(b"sdicom.check") + 20
    data[at] ^= 1
    file.write_bytes(data)
    assert found(archive) == []
    assert found(archive, checks=True) == [("hdfs", "another check", path)]


def test_what_is_known_to_be_damaged_or_retired_is_no_difference(archive: Archive) -> None:
    """The catalog says so itself: the one is counted apart, the other may be there still or not."""
    catalog, (part, copy) = archive.place().catalog, archive.place().catalog.page_of_copies("hdfs")[0]
    for state in ("damaged", "retired"):
        catalog.mark_copy(part.id, "hdfs", state)
        assert found(archive) == []
    file = archive.folder / "hdfs" / copy.path
    file.rename(archive.folder / "away")
    assert [row for row in found(archive) if row[2] == copy.path] == []


def test_a_night_meanwhile_is_no_difference(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part that is published after the catalog was asked is looked up once more before it is called unknown."""
    listed = comparing._Walk._listed

    def with_a_night(walk: Any) -> Any:
        if walk.tier == "hdfs":
            fill(archive.san, range(5, 6))
            assert archive.night("r2").good
        return listed(walk)

    monkeypatch.setattr(comparing._Walk, "_listed", with_a_night)
    assert found(archive) == []


def test_files_beside_a_copy_of_another_codec(tmp_path: Path) -> None:
    """They have the same names there: neither unknown, nor passed over when one is gone."""
    archive = new_archive(tmp_path)
    make_exam(archive.san / "exam", slices=1, modality="CT", seed=5, size=800)
    make_exam(archive.san / "exam", slices=1, modality="CT", seed=5, size=32, first=4)
    assert archive.night(hdfs=archive.settings().hdfs.model_copy(update={"max_record_mib": 1})).good
    archive.backup(nearline=archive.settings().nearline.model_copy(update={"codec": "htj2k"}))
    ((part, copy),) = archive.place().catalog.page_of_copies("nearline")
    assert copy.check != part.check
    assert found(archive) == []
    apart = next(path for path in archive.near() if path.endswith(".dcm"))
    (archive.folder / "nearline" / apart).unlink()
    assert found(archive) == [("nearline", "missing", apart)]


def test_tape_is_compared_by_its_manifests(archive: Archive) -> None:
    """The parts of every volume there ever was; a manifest that is gone or damaged is all of its parts, one too many is unknown."""
    assert stage(archive.place("t1"), now=True).volumes == 1
    report = compare(archive.place(), tiers(archive.place()))
    assert (report.equal, report.tiers[2].files, report.tiers[2].expected) == (True, 2, 2)
    (manifest,) = (archive.folder / "tape" / "manifests").glob("*.json")
    known = contents.decode(manifest.read_bytes(), manifest.name)
    more = manifest.with_name("V-other.json")
    entry = replace(known.parts[0], size=1)
    more.write_bytes(contents.encode(replace(known.label, volume="V-other"), [entry]))
    assert found(archive) == [("tape", "unknown", f"V-other/{entry.path}")]
    more.unlink()
    manifest.write_bytes(contents.encode(known.label, [replace(each, size=1) for each in known.entries]))
    assert {row[:2] for row in found(archive)} == {("tape", "another size")}
    manifest.write_bytes(b"{")
    assert [row[:2] for row in found(archive)] == [("tape", "missing")] * 2
    manifest.unlink()
    assert [row[:2] for row in found(archive)] == [("tape", "missing")] * 2


def test_the_command_ends_with_1_when_they_differ(archive: Archive) -> None:
    """In JSON and as text; `--limit` names fewer than it counts."""
    for path in archive.parts():
        (archive.folder / "hdfs" / path).unlink()
    done = archive.sdfo("catalog", "compare", "--limit", "1")
    said = json.loads(done.stdout)
    assert (done.returncode, said["equal"], len(said["rows"])) == (1, False, 1)
    assert said["differ"] == {"hdfs: missing": len(archive.near())}
