"""Images on the command line: found, located, read back, and stored."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from sdfo.testing.exams import Series, study_uid


def _digests(folder: Path) -> list[str]:
    return sorted(sha256(file.read_bytes()).hexdigest() for file in folder.rglob("*") if file.is_file())


def test_find_by_each_condition(archived):
    """Every condition narrows; the answer is in the order of the dates."""
    every = archived.json("find")["studies"]
    assert [row["date"] for row in every] == sorted(row["date"] for row in every)
    assert {row["study"] for row in every} == {study_uid(seed) for seed in (1, 2, 3)}
    one = every[1]
    assert archived.json("find", "--study", one["study"])["studies"] == [one]
    assert archived.json("find", "--patient", one["patient_id"])["studies"] == [one]
    assert archived.json("find", "--date", one["date"], "--modality", "ct")["studies"] == [one]
    assert archived.json("find", "--modality", "PT") == {"studies": [], "more": False}
    assert archived.json("find", "--limit", "2") == {"studies": every[:2], "more": True}
    assert one["study"] in archived.run("find").stdout


def test_locate_says_every_copy_cheapest_first(archived):
    """The SAN before HDFS; on HDFS a byte range in which the file lies."""
    sop = Series("CT", 1).sop_uid(2)
    san, hdfs = archived.json("locate", sop)["copies"]
    assert (san["tier"], hdfs["tier"]) == ("san", "hdfs")
    part = (archived.hdfs / hdfs["path"]).read_bytes()
    assert sha256(part[hdfs["offset"] :][: hdfs["length"]]).hexdigest() == san["sha256"] == hdfs["sha256"]
    assert len(archived.json("locate", study_uid(1))["copies"]) == 8
    assert hdfs["path"] in archived.run("locate", study_uid(1)).stdout


def test_get_is_byte_identical_and_replaces_nothing(archived, tmp_path):
    """A study, damaged file and all, from the SAN and, while that is away, from HDFS, which is told
    in one line; never over a file that is there."""
    folder = next(archived.san.glob("*_3"))
    assert archived.json("get", study_uid(3), "--to", tmp_path / "a")["files"] == 4
    assert _digests(tmp_path / "a") == _digests(folder)
    again = archived.json("get", study_uid(3), "--to", tmp_path / "a", code=1)
    assert again["error"] == "Exists"
    folder.rename(archived.folder / "away")
    try:
        done = archived.json("get", study_uid(3), "--to", tmp_path / "b")
        said = archived.run("get", study_uid(3), "--to", tmp_path / "c").stderr.splitlines()
    finally:
        (archived.folder / "away").rename(folder)
    assert _digests(tmp_path / "b") == _digests(folder)
    assert done["files"] == 4
    (line,) = [line for line in said if "passed over" in line]
    assert line.startswith(f"sdfo: 4 copies on san of study {study_uid(3)} passed over: ")


def test_head_without_pixels(archived):
    """The DICOM JSON model has the attributes and no Pixel Data; text is one line an element."""
    sop = Series("CT", 1).sop_uid(1)
    model = archived.json("head", sop)
    assert model["00080018"]["Value"] == [sop]
    assert "7FE00010" not in model
    assert f"UI: {study_uid(1)}" in archived.run("head", study_uid(1)).stdout


def test_an_unknown_uid_is_not_found(archived):
    """Exit 1 and where to look; a UID that is none is no path."""
    for uid in ("1.2.3", "../../etc/passwd"):
        for words in (["locate", uid], ["get", uid, "--to", archived.folder / "x"], ["head", uid]):
            said = archived.json(*words, code=1)
            assert said["error"] == "NotFound"
            assert said["next"]


def test_store_and_find_at_once(site, tmp_path):
    """A received file lies on the SAN, is found and read back before any night; a refused one does not hold the others."""
    site.json("init")
    good, bad = tmp_path / "received.bin", tmp_path / "note.txt"
    good.write_bytes(next(Series("CT", 9, 16).images(1)))
    bad.write_text("no DICOM")
    said = site.json("store", bad, good, tmp_path / "none.dcm", code=1)
    assert said["failed"] == 2
    assert said["files"][1]["new"]
    assert not site.json("store", good)["files"][0]["new"]
    site.json("get", said["files"][1]["sop"], "--to", tmp_path / "back")
    assert _digests(tmp_path / "back") == [sha256(good.read_bytes()).hexdigest()]
