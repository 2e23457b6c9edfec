"""Generated exams are DICOM, deterministic and quickly made; real ones are where they are said to be."""

from __future__ import annotations

import time
from collections import Counter
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pytest
import zstandard
from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian

from sdfo.model import is_uid, valid_date
from sdfo.testing.exams import REAL_EXAMS, Series, make_exam, pydicom_exams, real_exams_root, study_uid
from sdfo.testing.exams import real_exams as exams_below
from sdfo.testing.shipped import shipped

CT = {"modality": "CT", "seed": 1, "size": 64}
MR = {"modality": "MR", "seed": 2, "size": 48, "head_bytes": "siemens"}


@pytest.mark.parametrize("how", [CT, MR], ids=["CT", "MR"])
def test_pydicom_reads_every_slice(tmp_path: Path, how: dict) -> None:
    """With the UIDs, numbers and positions that were asked for, and pixels of the right shape and range."""
    files = make_exam(tmp_path / "exam", slices=12, date="20240229", series=7, **how)
    assert files == sorted((tmp_path / "exam").iterdir())
    series = Series(**how, date="20240229", number=7)
    for number, file in enumerate(files, 1):
        ds = dcmread(file)
        assert ds.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
        assert ds.SOPInstanceUID == ds.file_meta.MediaStorageSOPInstanceUID == series.sop_uid(number)
        assert ds.SOPClassUID == ds.file_meta.MediaStorageSOPClassUID
        assert ds.StudyInstanceUID == study_uid(how["seed"]) == series.study_uid
        assert (ds.InstanceNumber, ds.SeriesNumber, ds.Modality) == (number, 7, how["modality"])
        assert ds.ImagePositionPatient[2] == ds.SliceLocation == number * 0.5 - 100
        assert ds.StudyDate == ds.AcquisitionDate == "20240229"
        assert str(ds.PatientName).startswith("SYNTHETIC^")
        pixels = ds.pixel_array
        assert pixels.shape == (how["size"], how["size"])
        assert pixels.std() > 100
        if how["modality"] == "MR":
            assert (ds.BitsStored, pixels.min() >= 0, pixels.max() < 4096) == (12, True, True)


@pytest.mark.parametrize("how", [CT, MR], ids=["CT", "MR"])
def test_nothing_is_left_over(tmp_path: Path, how: dict) -> None:
    """A file is its elements and no byte more: pydicom writes it again as it is. Every length is even (PS3.5 7.1)."""
    for file in make_exam(tmp_path, slices=3, **how):
        dcmread(file).save_as(tmp_path / "again", enforce_file_format=True)
        assert (tmp_path / "again").read_bytes() == file.read_bytes()
        assert file.stat().st_size % 2 == 0


def test_the_same_call_gives_the_same_bytes(tmp_path: Path) -> None:
    """And any other seed, series or number another image: no two slices are alike."""
    one = [f.read_bytes() for f in make_exam(tmp_path / "1", slices=5, **CT)]
    assert [f.read_bytes() for f in make_exam(tmp_path / "2", slices=5, **CT)] == one
    assert list(Series(**CT).images(5)) == one
    others = [Series(**CT | change).images(5) for change in ({"seed": 9}, {"number": 2})]
    pixels = [sha256(image[-64 * 64 * 2 :]).digest() for images in (one, *others) for image in images]
    assert len(set(pixels)) == 15


def test_late_slices(tmp_path: Path) -> None:
    """`first` goes on where an earlier call ended."""
    whole = [f.read_bytes() for f in make_exam(tmp_path / "whole", slices=6, **CT)]
    make_exam(tmp_path / "parts", slices=4, **CT)
    make_exam(tmp_path / "parts", slices=2, first=5, **CT)
    assert [f.read_bytes() for f in sorted((tmp_path / "parts").iterdir())] == whole


def test_uids_of_many_series() -> None:
    """Valid, of one length within a series, and never the same for two images."""
    uids = Counter[str]()
    for seed in range(20):
        for number in (1, 2, 99):
            for study in (None, study_uid(1000), "1.2.3"):
                series = Series("CT", seed, study=study, number=number)
                found = [series.sop_uid(n) for n in (0, 1, 2, 2000, 8_999_999)]
                assert len({len(uid) for uid in found}) == 1
                assert all(is_uid(uid) for uid in (*found, series.study_uid, f"{series.stem}.0"))
                uids.update(found)
    assert set(uids.values()) == {1}


def test_slices_of_a_long_exam_all_differ() -> None:
    """10,000 starts in the noise, none twice."""
    assert len({number * 40503 % 65536 for number in range(65536)}) == 65536


def test_dates_are_days() -> None:
    """Of the past, for every seed."""
    dates = {dcmread(BytesIO(next(Series("CT", seed, 16).images(1)))).StudyDate for seed in range(40)}
    assert len(dates) == 40
    assert all("20210101" <= (valid_date(date) or "") < "20250101" for date in dates)


def test_heads_are_like_a_scanners() -> None:
    """2 KB or 100 KB; an MR's compress some 5:1 alone, and another adds a hundred bytes, as in a real exam."""
    small, large = (next(Series(m, 1, 16, head_bytes=h).images(1)) for m, h in (("CT", "small"), ("MR", "siemens")))
    assert 1_500 < len(small) - 512 < 2_500
    heads = [image[:-512] for image in Series("MR", 1, 16, head_bytes="siemens").images(20)]
    assert 99_000 < len(large) - 512 < 102_000
    assert 3 < len(heads[0]) / len(zstandard.compress(heads[0], 3)) < 8
    alone, together = len(zstandard.compress(heads[0], 9)), len(zstandard.compress(b"".join(heads), 9))
    assert 50 < (together - alone) / 19 < 300


def test_two_thousand_slices_take_seconds(tmp_path: Path) -> None:
    """Measured on a tenth of their pixels, with room for a busy machine."""
    began = time.monotonic()
    make_exam(tmp_path, slices=2000, modality="CT", seed=3, size=160)
    assert time.monotonic() - began < 10


# ---- real exams


def test_pydicoms_exams_ship_in_its_wheel() -> None:
    """31 readable images of three patients, without a download."""
    images = [dcmread(file) for exam in pydicom_exams() for file in exam.files()]
    assert [exam.name for exam in pydicom_exams()] == ["77654033", "98892001", "98892003"]
    assert Counter(ds.Modality for ds in images) == {"CT": 11, "CR": 3, "MR": 17}
    assert len({ds.StudyInstanceUID for ds in images}) == 6
    assert all(ds.pixel_array.shape == (16, 16) for ds in images)


def test_what_does_not_ship() -> None:
    """Is an error, where pydicom would begin a download."""
    with pytest.raises(FileNotFoundError):
        shipped("OBXXXX1A.dcm")


def test_the_real_exams(real_exams: Path) -> None:
    """Full-size ones, by the environment: 341 images of three scanners, with their source and licence."""
    counts = {}
    for exam in exams_below(real_exams):
        images = [f for f in exam.files() if f.suffix == ".dcm" or f.name.startswith("I")]
        counts[exam.name] = len(images)
        assert dcmread(images[0]).StudyInstanceUID
        assert exam.source
        assert exam.licence
    assert (counts["ct-ge"], counts["mr-mprage"]) == (28, 192)
    assert counts["ct-philips-phantom"] > 100


@pytest.mark.parametrize("value", [None, "", "/no/such/folder"])
def test_where_no_real_exams_are(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    """None, and the caller decides."""
    monkeypatch.delenv(REAL_EXAMS, raising=False)
    if value is not None:
        monkeypatch.setenv(REAL_EXAMS, value)
    assert real_exams_root() is None
