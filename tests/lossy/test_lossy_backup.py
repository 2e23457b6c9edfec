"""From the settings to `sdfo get --lossy`: made after the lossless copy, read by its path, swept with it, never in its way."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread

from sdfo.client import Archive as Client
from sdfo.errors import NotFound, OnlyCopy, SdicomError, UsageError
from sdfo.lossy import LossyImage, Policy, copy_path, derive_part, derived_path
from sdfo.model import Tier
from sdfo.nightly.care.gc import gc
from sdfo.nightly.local import LocalEngine
from sdfo.nightly.lossy import derive as derive_again
from sdfo.sdicom import Part
from sdfo.testing.archive import Archive, new_archive

ON: dict[str, Any] = {"lossy": {"modalities": ["CT"]}}


@pytest.fixture
def exam(tmp_path: Path, ct: Callable[..., Dataset], written: Callable[[Dataset], bytes]) -> Archive:
    """An archived exam of three CT images, one of them a localizer, and a note; its near-line backup waits."""
    archive = new_archive(tmp_path)
    folder = archive.san / "exam"
    folder.mkdir()
    for number in (1, 2):
        (folder / f"I{number}.dcm").write_bytes(written(ct(seed=number)))
    (folder / "scout.dcm").write_bytes(written(ct(seed=3, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])))
    (folder / "note.txt").write_bytes(b"a note")
    assert archive.night().good
    return archive


def study(archive: Archive) -> str:
    return str(dcmread(archive.san / "exam" / "I1.dcm", stop_before_pixels=True).StudyInstanceUID)


def derived(archive: Archive) -> list[str]:
    return [stat.path for stat in archive.place().nearline.list("derived")]


def test_off_by_default(exam: Archive) -> None:
    """Nothing is derived, and nothing is given."""
    assert exam.backup().lossy is None
    assert derived(exam) == []
    with pytest.raises(NotFound):
        next(Client(exam.settings()).lossy(study(exam)))


def test_derived_after_the_copy(exam: Archive) -> None:
    """A file beside the near-line copy, under its path; the report and the run's manifest tell of each image."""
    done = exam.backup(**ON)
    assert done.parts == 1
    assert done.lossy is not None
    assert (done.lossy.derived, done.lossy.refused, done.lossy.failed) == (2, {"no DICOM file": 1, "localizer": 1}, {})
    assert done.lossy.psnr_worst is not None
    assert 40 <= done.lossy.psnr_worst <= (done.lossy.psnr_median or 0)
    (path,) = derived(exam)
    (copy,) = [path for path in exam.near() if path.endswith(".sdicom")]
    assert (derived_path(copy), copy_path(path)) == (path, copy)
    place = exam.place("b1")
    (manifest,) = place.store.list("runs/b1/lossy")
    rows = place.read(manifest.path.removeprefix("runs/b1/"), LossyImage, "backup")
    assert [row.number for row in rows] == [0, 1, 2, 3]
    assert [row.reason for row in rows] == [None, None, "no DICOM file", "localizer"]
    assert all(row.ratio is not None and row.psnr is not None and row.derived for row in rows[:2])


def test_the_file_is_an_s_dicom_file(exam: Archive) -> None:
    """Whole, with the originals' names, of the same study and folder, in form `file`."""
    exam.backup(**ON)
    with Part.open(exam.place().nearline, derived(exam)[0]) as part:
        part.check(deep=True)
        assert [record.name for record in part.records] == ["I1.dcm", "I2.dcm"]
        assert (part.study, part.folder) == (study(exam), b"exam")
        assert {(record.form, record.transfer_syntax) for record in part.records} == {
            ("file", "1.2.840.10008.1.2.4.91")
        }


def test_reading(exam: Archive, tmp_path: Path) -> None:
    """By study, by instance, and by the command; a plain get gives the originals and nothing else."""
    exam.backup(**ON)
    client = Client(exam.settings())
    assert len(list(client.lossy(study(exam)))) == 2
    original = dcmread(exam.san / "exam" / "I1.dcm")
    ((location, data),) = client.lossy(str(original.SOPInstanceUID))
    assert location.name == b"I1.dcm"
    (tmp_path / "one.dcm").write_bytes(data)
    assert dcmread(tmp_path / "one.dcm").SourceImageSequence[0].ReferencedSOPInstanceUID == original.SOPInstanceUID
    assert client.get(study(exam), tmp_path / "plain").files == 4
    assert (tmp_path / "plain" / study(exam) / "I1.dcm").read_bytes() == (exam.san / "exam" / "I1.dcm").read_bytes()
    assert client.get_lossy(study(exam), tmp_path / "lossy").files == 2
    assert sorted(p.name for p in (tmp_path / "lossy" / study(exam)).iterdir()) == ["I1.dcm", "I2.dcm"]
    assert (tmp_path / "lossy" / study(exam) / "I1.dcm").read_bytes() == data
    with pytest.raises(NotFound):
        client.get_lossy(str(dcmread(exam.san / "exam" / "scout.dcm").SOPInstanceUID), tmp_path)


@pytest.mark.long
def test_the_commands(exam: Archive, tmp_path: Path) -> None:
    """`derive` and `get --lossy`, as a person types them; two objects of one file cannot be asked for at once."""
    exam.backup()
    done = exam.sdfo("derive", study(exam), SDFO__LOSSY__MODALITIES='["CT"]')
    assert (done.returncode, json.loads(done.stdout)["derived"]) == (0, 2), done.stderr
    done = exam.sdfo("get", study(exam), "--lossy", "--to", str(tmp_path / "lossy"))
    assert (done.returncode, json.loads(done.stdout)["files"]) == (0, 2), done.stderr
    assert exam.sdfo("get", "1.2", "--lossy", "--as-stored", "--to", str(tmp_path)).returncode == 2


def test_a_key_object_protects_its_images(
    exam: Archive, ct: Callable[..., Dataset], key_object: Callable[..., bytes]
) -> None:
    """Though it lies in another part of the study, in another folder."""
    (exam.san / "later").mkdir()
    (exam.san / "later" / "ko").write_bytes(key_object(str(ct(seed=1).SOPInstanceUID)))
    assert exam.night("r2").good
    done = exam.backup(**ON)
    assert done.lossy is not None
    assert done.lossy.derived == 1
    assert done.lossy.refused["referenced by a key object, segmentation or radiotherapy object"] == 1


def test_another_exams_lossy_objects_are_not_given(exam: Archive, tmp_path: Path) -> None:
    """A whole file of another study's lies in the place, with the same names in it: it is no file of this one."""
    exam.backup(**ON)
    (tmp_path / "other").mkdir()
    other = new_archive(tmp_path / "other")
    (other.san / "exam").mkdir()
    for number in (1, 2):
        ds = dcmread(exam.san / "exam" / f"I{number}.dcm")
        ds.StudyInstanceUID += ".1"
        ds.save_as(other.san / "exam" / f"I{number}.dcm")
    assert other.night().good
    other.backup(**ON)
    (mine,), (theirs,) = derived(exam), derived(other)
    (exam.folder / "nearline" / mine).write_bytes((other.folder / "nearline" / theirs).read_bytes())
    with pytest.raises(SdicomError):
        list(Client(exam.settings()).lossy(study(exam)))


def test_never_the_only_copy(exam: Archive, policy: Policy) -> None:
    """Refused, and nothing written, without a verified near-line copy; with one that is damaged, gone, or another file."""
    exam.backup()
    place = exam.place()
    catalog, nearline = place.catalog, place.nearline
    (row,) = catalog.parts(study(exam))
    copies = catalog.copies(row.id)
    source = next(copy for copy in copies if copy.tier is Tier.HDFS)
    near = next(copy for copy in copies if copy.tier is Tier.NEARLINE)
    path = exam.folder / "nearline" / near.path
    with Part.open(place.store, source.path) as part:

        def derive(*given: Any) -> int:
            return derive_part(part, nearline, "attempts/x", policy, given).count

        for given in ((), (source,), (replace(near, state="written"),), (replace(near, state="damaged"),)):
            with pytest.raises(OnlyCopy):
                derive(*given)
        with pytest.raises(OnlyCopy, match="another file"):
            derive(replace(near, check="0" * 64))
        assert derive(source, near) == 2
        path.rename(path.with_suffix(".away"))
        with pytest.raises(OnlyCopy, match="cannot be read"):
            derive(source, near)
        path.write_bytes(b"SEQ" + bytes(100))
        with pytest.raises(OnlyCopy, match="cannot be read"):
            derive(source, near)
    assert derived(exam) == []


def test_the_same_file_again(exam: Archive, policy: Policy) -> None:
    """From the copy on HDFS or the one on near-line, by one thread or two: the same check, and the same bytes."""
    exam.backup()
    place = exam.place()
    (row,) = place.catalog.parts(study(exam))
    copies = place.catalog.copies(row.id)
    written = set[bytes]()
    for copy, threads in ((copies[0], 1), (copies[0], 2), (copies[1], 2)):
        store = place.store if copy.tier is Tier.HDFS else place.nearline
        with Part.open(store, copy.path) as part:
            done = derive_part(part, place.nearline, "attempts/x", policy, copies, threads=threads)
        written.add(place.nearline.read_all(done.attempt))
    assert len(written) == 1


def test_lost_and_out_of_date(exam: Archive) -> None:
    """The file may be lost: nothing else is worse for it, and a copy that is made again brings it back."""
    exam.backup(**ON)
    (path,) = derived(exam)
    before = exam.place().nearline.read_all(path)
    (exam.folder / "nearline" / path).unlink()
    assert len(list(Client(exam.settings()).exam(study(exam)))) == 4
    (row,) = exam.place().catalog.parts(study(exam))
    exam.place().catalog.mark_copy(row.id, Tier.NEARLINE, "damaged", "a test")
    assert exam.backup("b2", **ON).parts == 1
    assert exam.place().nearline.read_all(path) == before
    exam.place().catalog.mark_copy(row.id, Tier.NEARLINE, "damaged", "a test")
    nothing = {"lossy": {"modalities": ["MR"]}}
    assert exam.backup("b3", **nothing).parts == 1
    assert derived(exam) == []


def test_gc(exam: Archive) -> None:
    """Keeps what belongs to a copy however old it is, and sweeps what belongs to none, once it is old."""
    exam.backup(**ON)
    (path,) = derived(exam)
    nearline = exam.place().nearline
    alone = "derived/2024/01/1.2.3-0000000000000000.sdicom"
    nearline.put(alone, b"of a copy that is gone")
    assert gc(exam.place()).removed == 0
    assert gc(exam.place(), keep_seconds=-1, dry_run=True).removed >= 1
    assert sorted(derived(exam)) == sorted([path, alone])
    gc(exam.place(), keep_seconds=-1)
    assert derived(exam) == [path]


def test_what_fails_costs_no_backup(exam: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault in deriving is counted; the lossless copy is there and verified."""
    from sdfo.nightly import deriving

    def broken(*_: object) -> Iterator[object]:
        raise ZeroDivisionError

    monkeypatch.setattr(deriving, "derive_part", broken)
    done = exam.backup(**ON)
    assert (done.parts, done.failed) == (1, 0)
    assert done.lossy is not None
    assert sum(done.lossy.failed.values()) == 1
    assert derived(exam) == []


def test_derive_again(exam: Archive) -> None:
    """Of copies made before anybody allowed it, or whose objects were lost: by UID or all; refused while it is off."""
    exam.backup()
    engine = LocalEngine(0)
    with pytest.raises(UsageError):
        derive_again(exam.place("d0"), engine, None)
    assert derive_again(exam.place("d1", **ON), engine, study(exam)).derived == 2
    (path,) = derived(exam)
    before = exam.place().nearline.read_all(path)
    (exam.folder / "nearline" / path).unlink()
    assert derive_again(exam.place("d2", **ON), engine, None).derived == 2
    assert exam.place().nearline.read_all(path) == before
    with pytest.raises(NotFound):
        derive_again(exam.place("d3", **ON), engine, "1.2.3.4")
    assert [row.run for row in exam.place().catalog.runs()] == ["r1"]
