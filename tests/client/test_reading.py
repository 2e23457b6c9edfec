"""One image, from whatever copy of it is whole; what is wrong with the others is told and marked."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from hashlib import sha256

import pytest

from sdfo.catalog import Query
from sdfo.errors import NotFound
from sdfo.model import Tier
from sdfo.testing.exams import Series
from sdfo.testing.odd import change_in_place, unmounted

SERIES = Series("CT", 1, 16)
SOP = SERIES.sop_uid(1)


def _file(archive, name: str, data: bytes, folder: str = "a") -> None:
    (archive.san / folder).mkdir(parents=True, exist_ok=True)
    (archive.san / folder / name).write_bytes(data)


def _states(client, study: str = SERIES.study_uid) -> list[str]:
    return [copy.state for part in client.catalog.parts(study) for copy in client.catalog.copies(part.id)]


@pytest.fixture
def image(archive) -> bytes:
    """One archived image."""
    data = next(SERIES.images(1))
    _file(archive, "IM1", data)
    archive.night()
    return data


def _break(archive) -> None:
    """Flip the last bit of every file of the store's exams."""
    for path in archive.parts():
        change_in_place(archive.folder / "hdfs" / path)


def test_an_image_comes_from_the_san_then_from_hdfs(archive, client, image):
    """The caller gets the same bytes, and a SAN that is gone marks no copy of HDFS."""
    assert client.open(SOP) == image
    with unmounted(archive.san):
        assert client.open(SOP) == image
    assert [fault.tier for fault in client.faults] == [Tier.SAN]
    assert _states(client) == ["verified"]


def test_a_changed_san_file_is_told_and_the_archived_one_served(archive, client, image):
    """Other bytes on the SAN than were archived: the archived ones come."""
    change_in_place(archive.san / "a" / "IM1")
    assert client.open(SOP) == image
    assert [fault.tier for fault in client.faults] == [Tier.SAN]


def test_a_damaged_copy_is_marked_and_no_other(archive, client, image):
    """A flipped bit on HDFS: no bytes rather than wrong ones, and the catalog knows; a part that is whole stays verified."""
    (first,) = archive.parts()
    _file(archive, "IM2", next(SERIES.images(1, first=2)))
    archive.night("r2")
    change_in_place(archive.folder / "hdfs" / first)
    with unmounted(archive.san), pytest.raises(NotFound):
        client.open(SOP)
    assert _states(client) == ["damaged", "verified"]


def test_a_damaged_copy_is_marked_once(archive, client, image):
    """Each image of it that is asked for meets the damage; the journal keeps it once."""
    _break(archive)
    state = archive.folder / "hdfs" / "state"
    before = len(list(state.rglob("*.jsonl")))
    for _ in range(3):
        with unmounted(archive.san), pytest.raises(NotFound):
            client.open(SOP)
    assert len(list(state.rglob("*.jsonl"))) == before + 1


def _exam(archive, count: int = 5) -> list[bytes]:
    images = list(SERIES.images(count))
    for number, image in enumerate(images):
        _file(archive, f"IM{number}", image)
    archive.night()
    return images


def test_an_exam_comes_out_of_one_opened_part(archive, client, monkeypatch):
    """Its neighbours in one S-DICOM file are read together."""
    images, opened = _exam(archive), list[str]()
    store = client.reader.hdfs
    monkeypatch.setattr(store, "open", lambda path, real=store.open: opened.append(path) or real(path))
    shutil.rmtree(archive.san / "a")
    archive.night("r2", limits={"shrink": 0})
    assert [data for _, data in client.exam(SERIES.study_uid)] == images
    assert opened == list(archive.parts())
    assert client.faults == []


def test_a_damaged_image_of_an_exam(archive, client):
    """Every image before it comes; of it no bytes rather than wrong ones; the fault is told, and the copy marked."""
    images = _exam(archive)
    _break(archive)  # the last one
    found = list[bytes]()
    shutil.rmtree(archive.san / "a")
    archive.night("r2", limits={"shrink": 0})
    with pytest.raises(NotFound):
        found += (data for _, data in client.exam(SERIES.study_uid))
    assert found == images[:-1]
    assert [fault.tier for fault in client.faults] == [Tier.HDFS]
    assert _states(client) == ["damaged"]


def test_a_damaged_image_of_an_exam_comes_from_another_copy(archive, client):
    """And those after it out of the part again."""
    images = _exam(archive)
    files = [
        sorted(copies, key=lambda copy: copy.tier is Tier.SAN) for copies in client.locator.files(SERIES.study_uid)
    ]
    (path,) = archive.parts()
    with open(archive.folder / "hdfs" / path, "r+b") as file:
        file.seek(files[2][0].extent.end - 1)
        file.write(b"\x55")
    assert list(client.reader.each(files)) == images
    assert [fault.tier for fault in client.faults] == [Tier.HDFS]


def test_a_part_that_goes_while_an_exam_is_read(archive, client):
    """The rest comes from the other copies."""
    images = _exam(archive)
    files = [
        sorted(copies, key=lambda copy: copy.tier is Tier.SAN) for copies in client.locator.files(SERIES.study_uid)
    ]
    (path,) = archive.parts()
    found = client.reader.each(files)
    first = [next(found), next(found)]
    with open(archive.folder / "hdfs" / path, "r+b") as file:
        file.truncate(files[2][0].extent.offset + 1)
    assert first + list(found) == images


def test_a_part_that_lacks_what_the_catalog_says_is_passed_over(archive, client, image):
    """The header of an image is asked of a part that has no such record: the next copy is."""
    san, hdfs = client.locate(SOP)
    assert b"MONOCHROME2" in client.reader.head((replace(hdfs, name=b"another"), san))
    assert len(client.faults) == 1


def test_a_damaged_file_apart_marks_its_part(archive, client):
    """A file kept beside its part is the part's: damaged or gone, its copy is marked."""
    image = next(Series("CT", 1, 1024).images(1))
    _file(archive, "IM1", image)
    archive.night(hdfs={"root": "hdfs", "max_record_mib": 1})
    (apart,) = (path for path in archive.parts() if path.endswith(".dcm"))
    with unmounted(archive.san):
        assert client.open(SOP) == image
        os.unlink(archive.folder / "hdfs" / apart)
        with pytest.raises(NotFound):
            client.open(SOP)
    assert _states(client) == ["damaged"]


def test_a_file_apart_is_written_in_pieces(archive, client, tmp_path):
    """`get` of a large file whose SAN copy is found to be another after its last byte begins anew with HDFS."""
    image = next(Series("CT", 1, 2048).images(1))
    _file(archive, "IM1", image)
    archive.night(hdfs={"root": "hdfs", "max_record_mib": 1})
    change_in_place(archive.san / "a" / "IM1")
    assert len(client.get(SOP, tmp_path / "out").faults) == 1
    (got,) = (path for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert got.read_bytes() == image


def test_a_store_that_is_not_mounted_is_no_damage(archive, client, image):
    """Every file of HDFS is missing because HDFS is: nothing is marked, and all is well when it is back."""
    hdfs, away = archive.folder / "hdfs", archive.folder / "away"
    hdfs.rename(away)
    with unmounted(archive.san), pytest.raises(NotFound):
        client.open(SOP)
    shutil.rmtree(hdfs, ignore_errors=True)  # what the journal began in the empty mount point
    away.rename(hdfs)
    assert _states(client) == ["verified"]


def test_a_reader_who_may_not_write_the_catalog_still_reads(archive, client, image):
    """A damaged copy cannot be marked: the bytes come from the SAN all the same, and the fault is told."""
    _break(archive)
    hdfs = archive.folder / "hdfs"
    (hdfs / "state").rename(hdfs / "state-away")
    (hdfs / "state").write_bytes(b"in the journal's place")
    copies = sorted(client.locate(SOP), key=lambda copy: copy.tier is Tier.SAN)
    assert client.reader.read(copies) == image
    assert len(client.faults) == 1


def test_a_new_file_that_is_another_by_now_is_not_served_for_it(archive, client):
    """Noted by a scan, not archived, then replaced by another image: no bytes rather than the other's."""
    _file(archive, "IM1", next(SERIES.images(1)))
    client.writer._note(b"a", b"IM1")
    assert client.open(SOP) == (archive.san / "a" / "IM1").read_bytes()
    _file(archive, "IM1", next(SERIES.images(1, first=2)))
    with pytest.raises(NotFound):
        client.open(SOP)


def test_a_correction_is_served_and_the_first_version_kept(archive, client, image):
    """The same image with another head, late: it is the one that is given, and the older is located as version 1."""
    corrected = image.replace(b"MONOCHROME2", b"MONOCHROME1")
    _file(archive, "IM1-new", corrected)
    archive.night("r2")
    with unmounted(archive.san):
        assert client.open(SOP) == corrected
        digests = {copy.version: copy.sha256 for copy in client.locate(SOP)}
        assert digests == {0: sha256(corrected).hexdigest(), 1: sha256(image).hexdigest()}


def test_of_two_images_under_one_uid_the_first_is_served(archive, client, image):
    """Other pixels under the same UID are a conflict: the first is given, a person is told."""
    other = image[:-2] + bytes(2)
    _file(archive, "other", other)
    archive.night("r2")
    assert client.open(SOP) == image
    assert [row.reason for row in client.catalog.quarantine()] == ["conflict"]


def test_nothing_known_of_a_uid(client):
    """A UID that nobody has heard of is NotFound, for every question."""
    for ask in (client.open, client.locate, client.head, lambda uid: list(client.exam(uid))):
        with pytest.raises(NotFound):
            ask("1.2.3")


def test_an_image_of_which_only_an_older_version_is_left(archive, client, image):
    """The corrected image's copies are retired and its SAN file gone: NotFound, not an error of the program."""
    _file(archive, "IM1-new", image.replace(b"MONOCHROME2", b"MONOCHROME1"))
    archive.night("r2")
    part = client.catalog.parts(SERIES.study_uid)[1]
    client.catalog.mark_copy(part.id, Tier.HDFS, "retired")
    (archive.san / "a" / "IM1-new").unlink()
    archive.night("r3")
    for ask in (client.open, client.head):
        with pytest.raises(NotFound):
            ask(SOP)


def test_stored_then_found_then_read(archive, client):
    """A received image is found, located, read and shown at once; the next night archives it."""
    image = next(SERIES.images(1))
    stored = client.store(image)
    assert (stored.study, stored.sop, stored.new) == (SERIES.study_uid, SOP, True)
    assert [row.study for row in client.find(Query(study=SERIES.study_uid))] == [SERIES.study_uid]
    assert [copy.tier for copy in client.locate(SOP)] == [Tier.SAN]
    assert client.open(SOP) == image
    assert client.head(SOP).SOPInstanceUID == SOP
    assert not client.store(image).new
    assert archive.night().ledger.lines["archived tonight"] == 1


def test_a_store_that_died_before_the_catalog_knew_is_made_good_by_the_next(archive, client):
    """The file lies on the SAN, the catalog has not heard of it: storing it again makes it known."""
    image = next(SERIES.images(1))
    client.writer._note = lambda folder, name: None  # killed here
    client.store(image)
    del client.writer._note
    assert not client.store(image).new
    assert client.open(SOP) == image
