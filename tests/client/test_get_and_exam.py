"""The files of a study: every one that was archived, each once, byte for byte, wherever they lie."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sdfo.errors import Exists, NotFound
from sdfo.testing.exams import Series
from sdfo.testing.odd import change_in_place, unmounted


def _below(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def _fill(archive, series: Series, count: int = 2, folder: str = "a") -> dict[str, bytes]:
    """`count` images in an exam folder: their bytes by name."""
    (archive.san / folder).mkdir(parents=True, exist_ok=True)
    files = {f"IM{n}": image for n, image in enumerate(series.images(count), 1)}
    for name, image in files.items():
        (archive.san / folder / name).write_bytes(image)
    return files


SERIES = Series("CT", 1, 16)


def test_files_come_under_study_and_name(archive, client, tmp_path):
    """One folder: `<study>/<name>`, subfolders kept; the same with the SAN gone."""
    (archive.san / "a" / "sub").mkdir(parents=True)
    (archive.san / "a" / "notes.txt").write_bytes(b"a note")
    (archive.san / "a" / "sub" / "IM1").write_bytes(next(SERIES.images(1)))
    archive.night()
    expected = {f"{SERIES.study_uid}/{name}": data for name, data in _below(archive.san / "a").items()}
    assert client.get(SERIES.study_uid, tmp_path / "1").files == 2
    with unmounted(archive.san):
        assert client.get(SERIES.study_uid, tmp_path / "2").files == 2
    assert _below(tmp_path / "1") == _below(tmp_path / "2") == expected


def test_folders_of_a_study_are_numbered(archive, client, tmp_path):
    """Two folders with files of the same names: `<study>/<n>/<name>`."""
    _fill(archive, SERIES, folder="a")
    _fill(archive, Series("CT", 1, 16, number=2), folder="b")
    archive.night()
    client.get(SERIES.study_uid, tmp_path / "out")
    got = _below(tmp_path / "out" / SERIES.study_uid)
    assert got == {f"{n}/{name}": data for n, f in enumerate("ab") for name, data in _below(archive.san / f).items()}


def test_a_name_that_was_used_twice_gives_both_files(archive, client, tmp_path):
    """Another image took the first one's name and place: both come back, the later one under the name itself."""
    files = _fill(archive, SERIES)
    archive.night("r1")
    other = next(SERIES.images(1, first=9))
    (archive.san / "a" / "IM1").write_bytes(other)
    archive.night("r2")
    for root, gone in (("on-san", False), ("off-san", True)):
        if gone:
            archive.san.rename(archive.folder / "away")
        client.get(SERIES.study_uid, tmp_path / root)
        got = _below(tmp_path / root / SERIES.study_uid)
        assert sorted(got.values()) == sorted([*files.values(), other])
        assert got["IM1"] == other
        assert sorted(data for _, data in client.exam(SERIES.study_uid)) == sorted(got.values())


def test_an_edited_note_gives_both_texts(archive, client, tmp_path):
    """A file that is no DICOM has no versions: its old and its new text come back, and never one for the other."""
    _fill(archive, SERIES, 1)
    (archive.san / "a" / "note").write_bytes(b"first")
    archive.night("r1")
    (archive.san / "a" / "note").write_bytes(b"second")
    archive.night("r2")
    with unmounted(archive.san):
        client.get(SERIES.study_uid, tmp_path / "out")
    got = _below(tmp_path / "out" / SERIES.study_uid)
    assert got.pop("note") == b"second"
    assert b"first" in got.values()


def test_a_file_that_became_a_folder_gives_both(archive, client, tmp_path):
    """`x` on one night, `x/1` on the next: no folder can hold both names, and both files come back."""
    _fill(archive, SERIES, 1)
    (archive.san / "a" / "x").write_bytes(b"a file")
    archive.night("r1")
    (archive.san / "a" / "x").unlink()
    (archive.san / "a" / "x").mkdir()
    (archive.san / "a" / "x" / "1").write_bytes(b"below")
    archive.night("r2")
    client.get(SERIES.study_uid, tmp_path / "out")
    got = _below(tmp_path / "out" / SERIES.study_uid)
    assert got["x/1"] == b"below"
    assert b"a file" in got.values()


def test_longest_and_hostile_names_come_back(archive, client, tmp_path):
    """255 bytes, bytes that are no UTF-8, line breaks and percent signs; a long name used twice too."""
    names = [b"n" * 255, b"\xff\xfe", b"a\nb", b"100%41", b"-rf", b" "]
    _fill(archive, SERIES, 1)
    for number, name in enumerate(names):
        with open(os.path.join(os.fsencode(archive.san / "a"), name), "wb") as file:
            file.write(b"%d" % number)
    archive.night("r1")
    (archive.san / "a" / ("n" * 255)).write_bytes(b"again")
    archive.night("r2")
    with unmounted(archive.san):
        client.get(SERIES.study_uid, tmp_path / "out")
    out = os.fsencode(tmp_path / "out" / SERIES.study_uid)
    got = {name: Path(os.fsdecode(os.path.join(out, name))).read_bytes() for name in os.listdir(out)}
    assert {name: got.get(name) for name in names} == {
        name: b"again" if number == 0 else b"%d" % number for number, name in enumerate(names)
    }
    assert b"0" in got.values()
    assert len(got) == len(names) + 2


def test_nothing_is_replaced_and_nothing_half_stays(archive, client, tmp_path):
    """A name that is there is an error; a file of which no whole copy is left leaves no piece behind."""
    _fill(archive, SERIES)
    archive.night()
    client.get(SERIES.study_uid, tmp_path / "out")
    with pytest.raises(Exists):
        client.get(SERIES.study_uid, tmp_path / "out")
    (path,) = archive.parts()
    change_in_place(archive.folder / "hdfs" / path)
    with unmounted(archive.san), pytest.raises(NotFound):
        client.get(SERIES.study_uid, tmp_path / "other")
    assert list(_below(tmp_path / "other")) == [f"{SERIES.study_uid}/IM1"]


def test_each_get_tells_its_own_faults(archive, client, tmp_path):
    """What an earlier call met is not told again."""
    _fill(archive, SERIES)
    archive.night()
    change_in_place(archive.san / "a" / "IM2")
    assert len(client.get(SERIES.study_uid, tmp_path / "1").faults) == 1
    (archive.san / "a" / "IM2").unlink()
    archive.night("r2")
    assert client.get(SERIES.study_uid, tmp_path / "2").faults == ()
