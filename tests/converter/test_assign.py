"""Which study the files of an exam folder go to."""

from __future__ import annotations

import re
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdfo.converter import assign
from sdfo.model import Description, Fate, FileStamp, Kind, derived_uid, is_uid
from sdfo.testing.exams import Series
from sdfo.testing.odd import surgery

_STUDIES = ("1.2.3", "1.2.10", "../../etc/x", "x" * 65, "bell\a", "", None)


def _described(number: int, study: str | None, kind: Kind) -> Description:
    return Description(FileStamp(b"%d" % number, 1, 0, 0), "0" * 64, kind, study=study)


_files = st.lists(st.tuples(st.sampled_from(_STUDIES), st.sampled_from(Kind)), max_size=9).map(
    lambda rows: [_described(n, *row) for n, row in enumerate(rows)]
)


@given(_files, st.sampled_from([None, "1.2.99"]), st.randoms(use_true_random=False))
def test_every_file_goes_to_one_study_whatever_the_order(files, home, random) -> None:
    """Or none does, where the folder has neither DICOM nor a home."""

    def places(described: list[Description]) -> dict[bytes, str]:
        studies = assign.by_study(described, "site", b"folder", home)
        rows = [(d.stamp.name, study) for study, members in studies.items() for d in members]
        assert len(rows) == len(dict(rows))
        return dict(rows)

    found = places(files)
    assert places(random.sample(files, len(files))) == found
    dicom = any(d.kind is not Kind.OTHER for d in files)
    assert set(found) == ({d.stamp.name for d in files} if dicom or home else set())


@given(_files)
def test_a_file_that_says_its_study_goes_there_and_the_others_together(files) -> None:
    studies = assign.by_study(files, "site", b"folder")
    for study, members in studies.items():
        assert all(d.study == study for d in members if assign.usable(d))
    silent = {study for study, members in studies.items() if any(not assign.usable(d) for d in members)}
    assert len(silent) <= 1


def test_silent_files_go_with_the_most_files_then_the_smallest_uid() -> None:
    """Smallest as text: it needs no reading of numbers that may be none."""
    says = [_described(n, uid, Kind.DICOM) for n, uid in enumerate(("1.2.3", "1.2.3", "1.2.10"))]
    note = _described(9, None, Kind.OTHER)
    assert note in assign.by_study([*says, note], "site", b"folder", home="1.2.99")["1.2.3"]
    assert note in assign.by_study([*says[1:], note], "site", b"folder", home="1.2.99")["1.2.10"]


def test_late_silent_files_go_home(works) -> None:
    """To the study that most of the folder's earlier files belong to; and nothing about that is worth a flag."""
    outcome = works.convert({b"late.txt": b"addendum\n"}, home="1.2.99")
    assert [p.study for p in outcome.parts] == ["1.2.99"]
    assert outcome.parts[0].flag is None
    assert works.values(outcome.parts[0]) == {b"late.txt": b"addendum\n"}


def test_two_studies_in_one_folder_become_two_parts(works) -> None:
    most, fewer = Series("CT", 1, 16), Series("MR", 2, 16)
    files = {b"m%d" % n: image for n, image in enumerate(most.images(3))}
    files |= {b"f%d" % n: image for n, image in enumerate(fewer.images(2))}
    outcome = works.convert(files | {b"notes.txt": b"a note\n"})
    found = {part.study: works.values(part) for part in outcome.parts}
    assert {study: set(values) for study, values in found.items()} == {
        most.study_uid: {b"m0", b"m1", b"m2", b"notes.txt"},
        fewer.study_uid: {b"f0", b"f1"},
    }
    assert [p.flag for p in outcome.parts] == [None, None]
    assert {f.stamp.name: f.study for f in outcome.files}[b"notes.txt"] == most.study_uid


def test_a_folder_whose_files_say_no_study_is_an_exam_of_its_own(works) -> None:
    """Its UID depends on site and folder alone, and a person is told."""
    images = [surgery.without(image, surgery.STUDY) for image in Series("CT", 1, 16).images(2)]
    first = works.convert({b"1": images[0]}).parts[0]
    both = works.convert({b"2": images[1]}).parts[0]
    assert first.study == both.study == derived_uid(b"exam", b"site", works.folder)
    assert is_uid(first.study)
    assert first.flag is not None
    assert "no file says its study" in first.flag
    assert assign.own_study("site", b"other") != first.study != assign.own_study("elsewhere", works.folder)


@pytest.mark.parametrize("text", ["../../etc/x", "/etc/x", "..", "1.2.03.4", "a" * 64, "1.2\\3.4"])
def test_a_hostile_study_is_an_exam_below_exams_under_its_digest(works, text: str) -> None:
    """It is kept as it is where it is data, and nothing outside the store is touched."""
    image = surgery.with_value(next(Series("CT", 1, 16).images(1)), surgery.STUDY, surgery.uid(text))
    outside = {p for p in works.top.rglob("*") if not p.is_relative_to(works.top / "hdfs")}
    outcome = works.convert({b"1": image, b"notes.txt": b"a note\n"})
    made = {p for p in works.top.rglob("*") if not p.is_relative_to(works.top / "hdfs")}
    assert {p.relative_to(works.root).parts[0] for p in made - outside} == {works.folder.decode()}
    part = outcome.parts[0]
    assert part.study == text
    digest = sha256(text.encode()).hexdigest()
    assert re.fullmatch(rf"exams/\d{{4}}/\d\d/{digest}-{part.check[:16]}\.sdicom", part.path)
    with works.part(part) as opened:
        assert opened.study == part.study
        assert len(opened.records) == 2


@pytest.mark.parametrize("text", ["", "a" * 66, "1.2\a"])
def test_what_no_field_can_hold_is_no_study(works, text: str) -> None:
    image = surgery.with_value(next(Series("CT", 1, 16).images(1)), surgery.STUDY, surgery.uid(text))
    assert works.convert({b"1": image}).parts[0].study == assign.own_study("site", works.folder)


def test_a_folder_without_dicom_is_no_exam(works) -> None:
    """Every file is answered for, and nothing is written, not even a folder."""
    outcome = works.convert({b"readme.txt": b"nothing here\n", b"empty": b""})
    assert [f.fate for f in outcome.files] == [Fate.NO_EXAM] * 2
    assert [f.kind for f in outcome.files] == [Kind.OTHER] * 2
    assert all(f.sha256 for f in outcome.files)
    assert outcome.parts == ()
    assert not (works.top / "hdfs").exists()
