"""The catalog as a DICOM Inventory: as PS3.3 section C.38 asks, pointing at the very bytes, with nothing silently left out."""

from __future__ import annotations

import hashlib
import io
import json
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pydicom
import pytest
from pydicom import Dataset

from sdfo.catalog import Query
from sdfo.dicom.inventory import Scope
from sdfo.errors import UsageError
from sdfo.nightly.inventory import export
from sdfo.testing.archive import Archive, fill, new_archive
from sdfo.testing.exams import make_exam, study_uid
from sdfo.testing.odd.surgery import meta_end

DOCS = Path(__file__).parents[2] / "docs" / "inventory.md"
(READER,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)

# PS3.3 table C.38.1-1 with its macros, C.7.5.1 and C.12.1: by level, the attributes of type 1 and those of type 2.
ROOT = (
    "SOPClassUID SOPInstanceUID ContentDate ContentTime InventoryLevel InventoryCompletionStatus "
    "NumberOfStudyRecordsInInstance TotalNumberOfStudyRecords SpecificCharacterSet",
    "Manufacturer ScopeOfInventorySequence InventoryPurpose",
)
STUDY = (
    "ItemInventoryDateTime StudyInstanceUID InventoriedSeriesSequence",
    "StudyUpdateDateTime StudyDate StudyTime AccessionNumber StudyID ReferringPhysicianName PatientName PatientID "
    "PatientBirthDate PatientSex",
)
SERIES = ("Modality SeriesInstanceUID InventoriedInstancesSequence", "SeriesNumber")
IMAGE = ("SOPClassUID SOPInstanceUID FileAccessSequence", "InstanceNumber")
ACCESS = (
    "FileAccessURI ContainerFileType FileOffsetInContainer FileLengthInContainer StoredInstanceTransferSyntaxUID MACAlgorithm MAC",
    "",
)


def judged(ds: Dataset) -> list[Dataset]:
    """The image records of an inventory that is as the standard asks."""
    assert ds.file_meta.MediaStorageSOPClassUID == ds.SOPClassUID == "1.2.840.10008.5.1.4.1.1.201.1"
    _level(ds, ROOT)
    assert ds.InventoryLevel == "INSTANCE"
    assert ds.InventoryCompletionStatus in ("COMPLETE", "PARTIAL")
    assert ds.NumberOfStudyRecordsInInstance == ds.TotalNumberOfStudyRecords == len(ds.InventoriedStudiesSequence)
    images = []
    for study in ds.InventoriedStudiesSequence:
        _level(study, STUDY)
        assert study.NumberOfStudyRelatedSeries == len(study.InventoriedSeriesSequence)
        for series in study.InventoriedSeriesSequence:
            _level(series, SERIES)
            images += series.InventoriedInstancesSequence
    for image in images:
        _level(image, IMAGE)
        (access,) = image.FileAccessSequence
        _level(access, ACCESS)
        assert access.ContainerFileType == "BLOB"
        assert re.match(r"\./|[a-z]+://", access.FileAccessURI)
    for element in ds.iterall():
        if element.VR in ("CS", "DA", "DT", "IS", "LO", "LT", "PN", "SH", "TM", "UI", "UR"):
            for value in element.value if element.VM > 1 else [element.value or ""]:
                pydicom.valuerep.validate_value(element.VR, str(value), pydicom.config.RAISE)
    return images


def _level(ds: Dataset, types: tuple[str, str]) -> None:
    first, second = (words.split() for words in types)
    assert [word for word in first if ds.get(word) in (None, "", b"")] == []
    assert [word for word in second if word not in ds] == []


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """Two whole exams; one with a damaged file, a note, a file without preamble and a second file of one SOP UID."""
    made = new_archive(tmp_path)
    fill(made.san, range(2))
    files = make_exam(made.san / "odd", slices=5, modality="MR", seed=7, size=64, date="20240229")
    files[1].write_bytes(files[1].read_bytes()[:-50])
    (made.san / "odd" / "note.txt").write_text("a note")
    data = files[2].read_bytes()
    files[2].write_bytes(data[meta_end(data) :])
    twin = pydicom.dcmread(files[3])
    twin.PatientComments = "corrected"
    twin.save_as(made.san / "odd" / "S001-I00003-again.dcm")
    made.night()
    return made


def exported(archive: Archive, query: Query = Query(), scope: Scope = Scope(), **words: Any) -> tuple[Dataset, Any]:  # noqa: B008
    found = export(archive.place(), query, scope, **words)
    return pydicom.dcmread(io.BytesIO(found.data)), found


def bytes_of(archive: Archive, image: Dataset) -> bytes:
    (at,) = image.FileAccessSequence
    assert at.FileAccessURI.startswith("./")
    data = (archive.folder / "hdfs" / at.FileAccessURI).read_bytes()
    return data[at.FileOffsetInContainer :][: at.FileLengthInContainer]


def test_it_is_as_the_standard_asks(archive: Archive) -> None:
    """Every attribute of type 1 with a value, of type 2 there, every value of its VR; all images, each with its place."""
    ds, found = exported(archive)
    images = judged(ds)
    assert (len(ds.InventoriedStudiesSequence), found.report.complete) == (3, True)
    assert found.report.images == len(images) == 4 + 3
    assert ds.InventoryCompletionStatus == "COMPLETE"
    assert ds.StoredInstanceBaseURI == archive.place().store.url + "/"
    assert len(ds.ScopeOfInventorySequence) == 0


def test_each_image_lies_where_it_says(archive: Archive) -> None:
    """Offset and length give the DICOM file as it lay on the SAN, with its SHA-256 as MAC, class and transfer syntax."""
    originals = {hashlib.sha256(file.read_bytes()).digest() for file in archive.san.rglob("*.dcm")}
    ds, _ = exported(archive)
    for image in judged(ds):
        data = bytes_of(archive, image)
        (at,) = image.FileAccessSequence
        assert hashlib.sha256(data).digest() == at.MAC
        assert at.MAC in originals
        head = pydicom.dcmread(io.BytesIO(data))
        assert (head.SOPInstanceUID, head.SOPClassUID) == (image.SOPInstanceUID, image.SOPClassUID)
        assert head.file_meta.TransferSyntaxUID == at.StoredInstanceTransferSyntaxUID
        assert head.InstanceNumber == image.InstanceNumber


def test_what_is_not_listed_is_told(archive: Archive) -> None:
    """A damaged file, a note, one that is not in the DICOM file format, and the older of two with one UID: why, and where."""
    _, found = exported(archive)
    why = sorted(row.why for row in found.unlisted)
    assert why == [
        "another file of the same SOP Instance UID is served",
        "not a whole DICOM file: damaged",
        "not a whole DICOM file: other",
        "not in the DICOM file format: no preamble",
    ]
    assert all(row.study and row.path and row.record is not None for row in found.unlisted)


def test_codestreams_are_not_listed(archive: Archive) -> None:
    """Where HDFS has no copy, and near-line holds codestreams: each part is told, and no image of it is in the object."""
    near = archive.settings().nearline.model_copy(update={"codec": "htj2k"})
    archive.backup("b1", nearline=near)
    catalog = archive.place().catalog
    for part, _ in catalog.page_of_copies("hdfs"):
        catalog.mark_copy(part.id, "hdfs", "retired")
    ds, found = exported(archive)
    assert (judged(ds), found.report.images) == ([], 0)
    assert {row.why for row in found.unlisted} == {"no tier holds it in the form of files"}


def test_near_line_serves_where_hdfs_was_freed(archive: Archive) -> None:
    """A copy of form file there: the address is complete, and the bytes are the image's."""
    archive.backup("b1")
    catalog = archive.place().catalog
    for part, _ in catalog.page_of_copies("hdfs"):
        catalog.mark_copy(part.id, "hdfs", "retired")
    ds, _ = exported(archive)
    for image in judged(ds):
        (at,) = image.FileAccessSequence
        base = archive.place().nearline.url + "/"
        assert at.FileAccessURI.startswith(base)
        data = (archive.folder / "nearline" / at.FileAccessURI.removeprefix(base)).read_bytes()
        assert hashlib.sha256(data[at.FileOffsetInContainer :][: at.FileLengthInContainer]).digest() == at.MAC


def test_the_scope_says_what_it_is_of(archive: Archive) -> None:
    """A range of days and a study, in the words of C.38.2.1; more studies than one object takes are refused."""
    days = Query(since=date(2024, 2, 1), until=date(2024, 2, 29))
    ds, _ = exported(archive, days, Scope("20240201-20240229"))
    assert [each.StudyDate for each in ds.InventoriedStudiesSequence] == ["20240229"]
    assert ds.ScopeOfInventorySequence[0].RangeMatchingSequence[0].StudyDate == "20240201-20240229"
    one, _ = exported(archive, Query(study=study_uid(1)), Scope(study=study_uid(1)))
    (item,) = one.ScopeOfInventorySequence
    assert item.ListOfUIDMatchingSequence[0].StudyInstanceUID == one.InventoriedStudiesSequence[0].StudyInstanceUID
    judged(one)
    with pytest.raises(UsageError, match="too many studies"):
        export(archive.place(), Query(), Scope(), most=2)


def test_a_part_that_cannot_be_read_makes_it_partial(archive: Archive) -> None:
    """It is told, the others are listed, and the object says that it is not complete."""
    path = next(path for path in archive.parts())
    (archive.folder / "hdfs" / path).unlink()
    ds, found = exported(archive)
    judged(ds)
    assert (ds.InventoryCompletionStatus, found.report.complete) == ("PARTIAL", False)
    assert [row.why for row in found.unlisted if row.path == path] == ["it cannot be read: Missing"]


def test_a_large_file_lies_apart(tmp_path: Path) -> None:
    """Its own file is the container: from offset 0, all of it."""
    made = new_archive(tmp_path)
    (file, *_) = make_exam(made.san / "big", slices=1, modality="CT", seed=1, size=800)
    assert made.night(hdfs=made.settings().hdfs.model_copy(update={"max_record_mib": 1})).good
    ds, _ = exported(made)
    (image,) = judged(ds)
    assert image.FileAccessSequence[0].FileAccessURI.endswith(".dcm")
    assert bytes_of(made, image) == file.read_bytes()


def test_the_command(archive: Archive) -> None:
    """It says what it listed; both files are private and never replaced."""
    target = archive.folder / "all.dcm"
    done = archive.sdfo("catalog", "export", "--inventory", str(target))
    said = json.loads(done.stdout)
    assert (done.returncode, said["complete"], said["unlisted"]) == (0, True, 4)
    others = Path(said["others"])
    assert len(others.read_text().splitlines()) == 4
    assert [stat.S_IMODE(file.stat().st_mode) for file in (target, others)] == [0o600, 0o600]
    again = archive.sdfo("catalog", "export", "--inventory", str(target))
    assert (again.returncode, "there already" in again.stderr) == (2, True)


@pytest.fixture
def without_us(archive: Archive) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs docs/inventory.md's program, or another, where pydicom is the only package that can be imported."""
    script, packages = archive.folder / "reader.py", archive.folder / "packages"
    script.write_text(READER)
    packages.mkdir()
    for found in Path(pydicom.__file__).parents[1].glob("pydicom*"):
        (packages / found.name).symlink_to(found)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-S", "-P", *(words if words[0] == "-c" else (str(script), *words))]
        return subprocess.run(
            command, env={"PYTHONPATH": str(packages)}, cwd="/", capture_output=True, text=True, check=False
        )

    return run


def test_ten_lines_read_an_image_without_us(archive: Archive, without_us: Callable[..., Any]) -> None:
    """docs/inventory.md's program has ten lines and nothing of ours, and cannot have: each listed image comes back to its
    SHA-256 by path, offset and length."""
    assert 0 < len(READER.splitlines()) <= 10
    assert max(map(len, READER.splitlines())) <= 120
    assert "No module named 'sdfo'" in without_us("-c", "import sdfo").stderr
    target, out = archive.folder / "all.dcm", archive.folder / "one.dcm"
    target.write_bytes(export(archive.place(), Query(), Scope()).data)
    files = [file for file in sorted(archive.san.rglob("*.dcm")) if not file.name.startswith("S001-I00003")][:2]
    for file in files:
        done = without_us(str(target), str(pydicom.dcmread(file).SOPInstanceUID), str(out))
        assert done.returncode == 0, done.stderr
        assert hashlib.sha256(out.read_bytes()).digest() == hashlib.sha256(file.read_bytes()).digest()


def test_the_reader_of_the_page_notices_other_bytes(archive: Archive, without_us: Callable[..., Any]) -> None:
    """One flipped bit in the S-DICOM file: nothing is written, and it says so."""
    target, out = archive.folder / "all.dcm", archive.folder / "one.dcm"
    found = export(archive.place(), Query(), Scope())
    target.write_bytes(found.data)
    image = judged(pydicom.dcmread(io.BytesIO(found.data)))[0]
    (at,) = image.FileAccessSequence
    with (archive.folder / "hdfs" / at.FileAccessURI).open("r+b") as part:
        part.seek(at.FileOffsetInContainer + at.FileLengthInContainer - 1)
        last = part.read(1)[0]
        part.seek(-1, io.SEEK_CUR)
        part.write(bytes([last ^ 1]))
    done = without_us(str(target), str(image.SOPInstanceUID), str(out))
    assert (done.returncode, out.exists()) == (1, False)
    assert "other bytes" in done.stderr


@pytest.mark.long
def test_dcmtk_reads_it(archive: Archive, tmp_path: Path) -> None:
    """DCMTK parses the whole object, 64-bit offsets too, at which dciodvfy stops: it does not know their VR (UV)."""
    file = tmp_path / "inventory.dcm"
    found = export(archive.place(), Query(), Scope())
    file.write_bytes(found.data)
    said = subprocess.run(["dcmdump", "-q", "+L", file], capture_output=True, text=True, check=True).stdout
    assert said.count("(0008,040c)") == said.count("[BLOB]") == found.report.images


def test_the_tables_as_parquet(archive: Archive) -> None:
    """One private file a table, all rows, readable by any program; a folder that is there is left alone."""
    folder = archive.folder / "tables"
    done = archive.sdfo("catalog", "export", "--parquet", str(folder))
    rows = json.loads(done.stdout)["rows"]
    assert {file.stem: pq.read_table(file).num_rows for file in folder.iterdir()} == rows
    assert rows["study"] == 3
    assert {stat.S_IMODE(file.stat().st_mode) for file in (*folder.iterdir(),)} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert archive.sdfo("catalog", "export", "--parquet", str(folder)).returncode == 2
    assert archive.sdfo("catalog", "export").returncode == 2
