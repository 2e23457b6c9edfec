"""`ls` and `check` on files of the store and of this machine."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sdfo.testing.exams import study_uid

CASES = 20


def _damaged(whole: bytes, case: int) -> bytes:
    """Even: cut short, odd: one bit flipped; spread over the whole file."""
    at = (len(whole) - 1) * case // (CASES - 1)
    if case % 2 == 0:
        return whole[:at]
    return whole[:at] + bytes([whole[at] ^ 1 << case % 8]) + whole[at + 1 :]


def test_check_deep_notices_twenty_damages(archived, tmp_path):
    """Each ends with 1, names the error, its place or values, and the next command; the whole file ends with 0."""
    whole = (archived.hdfs / archived.part(1)).read_bytes()
    files = [tmp_path / f"case-{case}.sdicom" for case in range(CASES)]
    for case, file in enumerate(files):
        file.write_bytes(_damaged(whole, case))
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda file: archived.sdfo("--json", "check", file, "--deep"), files))
    assert [each.returncode for each in done] == [1] * CASES
    kinds = {json.loads(each.stdout)["error"] for each in done}
    assert kinds <= {
        "NotSdicom",
        "HeaderMismatch",
        "LengthMismatch",
        "RecordMismatch",
        "SequenceFileTruncated",
        "SequenceFileError",
    }
    assert all("next" in json.loads(each.stdout) for each in done)
    assert archived.json("check", archived.part(1), "--deep")["whole"]


def test_check_of_a_part_with_a_damaged_record(archived):
    """A DICOM file that came damaged is kept as it came: the S-DICOM file is whole, and says so."""
    said = archived.json("check", archived.part(3), "--deep")
    assert said["kinds"] == {"dicom": 3, "damaged": 1}
    assert "1 of its records" in archived.run("check", archived.part(3)).stdout


def test_ls_tells_records_by_number(archived):
    """From the store and from this machine the same: offset, length and digest of every record."""
    said = archived.json("ls", archived.part(2))
    assert said["study"] == study_uid(2)
    assert [row["number"] for row in said["records"]] == [0, 1, 2, 3]
    assert all(row["sha256"] for row in said["records"])
    local = archived.json("ls", archived.hdfs / archived.part(2))
    assert local["records"] == said["records"]
    assert said["records"][3]["sop"] in archived.run("ls", archived.part(2)).stdout


def test_a_file_beside_that_is_missing_is_3(site):
    """A part whose large file, kept apart beside it, is not there: whole, but a person must look."""
    site.exam(2, slices=1, size=800)
    site.json("init")
    site.json("night", "--run", "r", SDFO__HDFS__MAX_RECORD_MIB="1")
    part = site.part(2)
    assert site.json("check", part, "--deep")["aparts"] == 1
    next(site.hdfs.rglob("*.dcm")).unlink()
    said = site.json("check", part, "--deep", code=3)
    assert len(said["absent"]) == 1
    assert site.run("check", part).returncode == 0


@pytest.mark.parametrize(
    "file", ["nowhere.sdicom", "exams/2021/01/none.sdicom", "/nowhere/none.sdicom", "../none.sdicom"]
)
def test_a_file_that_is_not_there(archived, file):
    """Exit 1, `Missing`, and how to learn the right path."""
    said = archived.json("check", file, code=1)
    assert said["error"] == "Missing"
    assert said["next"].startswith("sdfo locate")


def test_names_of_files_of_this_machine(archived, tmp_path):
    """A plain name works from any folder; one that no store could hold is a usage error that says how to go on."""
    folder = tmp_path / "a folder, with odd letters ü"
    folder.mkdir()
    shutil.copyfile(archived.hdfs / archived.part(1), folder / "plain.sdicom")
    shutil.copyfile(archived.hdfs / archived.part(1), folder / "not plain.sdicom")
    assert archived.json("check", folder / "plain.sdicom")["whole"]
    said = archived.json("check", folder / "not plain.sdicom", code=2)
    assert said["error"] == "UsageError"
    assert "plain name" in said["next"]


def test_no_settings_are_needed_for_a_file_of_this_machine(archived, tmp_path):
    """`check` works where no archive is: on a researcher's laptop."""
    copy = shutil.copyfile(archived.hdfs / archived.part(1), tmp_path / "copy.sdicom")
    assert archived.json("check", Path(copy), SDFO_CONF="/nowhere.toml")["whole"]
