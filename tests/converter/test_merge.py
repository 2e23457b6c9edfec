"""What merge writes, and what it answers for each file."""

from __future__ import annotations

import os
from hashlib import sha256

import pytest

from sdfo.converter import merge
from sdfo.errors import EngineError
from sdfo.model import ExamTask, Fate, Kind
from sdfo.sdicom import Part, escape_name, unescape_name
from sdfo.testing.exams import Series
from sdfo.testing.shipped import shipped

_SERIES = Series("CT", 1, 16)
_IMAGES = list(_SERIES.images(4))
_LARGE = next(Series("CT", 1, 512, number=2).images(1))  # of the same study


def _digest(data: bytes) -> str:
    return sha256(data).hexdigest()


def test_an_exam_is_one_part_named_by_its_content(works) -> None:
    outcome = works.convert({b"%d" % n: image for n, image in enumerate(_IMAGES)})
    (part,) = outcome.parts
    assert works.values(part) == {b"%d" % n: image for n, image in enumerate(_IMAGES)}
    assert part.path.startswith("exams/20")
    assert part.path.endswith(f"{_SERIES.study_uid}-{part.check[:16]}.sdicom")
    assert (part.records, part.size) == (4, works.store.stat(part.attempt).size)
    assert part.attempt.startswith("attempts/run/7-0-")
    with works.part(part) as opened:
        assert (opened.study, opened.folder) == (_SERIES.study_uid, works.folder)
        assert opened.check_digest == part.check


def test_the_earliest_study_date_places_the_part(works) -> None:
    early, late = Series("CT", 1, 16, date="20190131"), Series("MR", 2, 16, study=_SERIES.study_uid, date="20200229")
    outcome = works.convert({b"1": next(late.images(1)), b"2": next(early.images(1))})
    assert [p.path.split("/")[1:3] for p in outcome.parts] == [["2019", "01"]]


def test_what_the_study_holds_already_leaves_no_record(works) -> None:
    """The same bytes under another name are an alias; under another study they are not."""
    known = [(_SERIES.study_uid, _digest(_IMAGES[0])), ("1.2.3", _digest(_IMAGES[1]))]
    outcome = works.convert({b"again": _IMAGES[0], b"new": _IMAGES[1]}, known=known)
    assert [(f.stamp.name, f.alias, f.fate) for f in outcome.files] == [
        (b"again", True, Fate.ARCHIVED),
        (b"new", False, Fate.ARCHIVED),
    ]
    assert [works.values(p) for p in outcome.parts] == [{b"new": _IMAGES[1]}]


def test_only_aliases_write_nothing(works) -> None:
    outcome = works.convert({b"again": _IMAGES[0]}, known=[(_SERIES.study_uid, _digest(_IMAGES[0]))])
    assert [(f.alias, f.study, f.sha256) for f in outcome.files] == [(True, _SERIES.study_uid, _digest(_IMAGES[0]))]
    assert outcome.parts == ()
    assert works.written() == {}


def test_one_file_twice_in_a_folder_is_two_records(works) -> None:
    (part,) = works.convert({b"a": _IMAGES[0], b"b": _IMAGES[0]}).parts
    assert works.values(part) == {b"a": _IMAGES[0], b"b": _IMAGES[0]}
    with works.part(part) as opened:
        assert len(opened.by_sop(_SERIES.sop_uid(1))) == 2


def test_a_large_file_lies_apart(tmp_path, works_in) -> None:
    """As a plain file beside the part, which names it; both are proven from the attempt's folder."""
    works = works_in(tmp_path, len(_LARGE) - 1)
    (part,) = works.convert({b"large": _LARGE, b"small": _IMAGES[0]}).parts
    assert works.values(part) == {b"small": _IMAGES[0]}
    ((attempt, final),) = part.apart
    assert attempt.rpartition("/")[0] == part.attempt.rpartition("/")[0]
    assert final == f"{part.path.rpartition('/')[0]}/{_SERIES.study_uid}-{_digest(_LARGE)[:16]}.dcm"
    assert works.store.read_all(attempt) == _LARGE
    with works.part(part) as opened:
        (apart,) = opened.aparts
        assert (apart.name, apart.path, apart.length) == ("large", final.rpartition("/")[2], len(_LARGE))
        assert (apart.sop, apart.kind) == (Series("CT", 1, 512, number=2).sop_uid(1), Kind.DICOM)
        report = opened.check(deep=True)
        assert (report.records, report.aparts, report.absent) == (1, 1, ())


def test_at_the_limit_a_file_is_a_record(tmp_path, works_in) -> None:
    (part,) = works_in(tmp_path, len(_LARGE)).convert({b"large": _LARGE}).parts
    assert (part.apart, part.records) == ((), 1)


def test_identical_large_files_lie_apart_once_under_both_names(tmp_path, works_in) -> None:
    """A part of files apart alone has no record and is whole."""
    works = works_in(tmp_path, 10_000)
    outcome = works.convert({b"one": _LARGE, b"sub/two": _LARGE})
    (part,) = outcome.parts
    assert (part.records, len(part.apart)) == (0, 1)
    with works.part(part) as opened:
        assert [(a.name, a.path) for a in opened.aparts] == [
            (name, part.apart[0][1].rpartition("/")[2]) for name in ("one", "sub/two")
        ]
        assert opened.check(deep=True).aparts == 2
    assert len(works.written()) == 2


def test_awkward_names_are_keys_that_give_them_back(works) -> None:
    """Non-UTF-8, of 255 bytes, percent signs, equal but for their folder or their case."""
    names = (
        b"%41", b"A", b"a", b"%2541", b"100%", b"caf\xe9", "café".encode(), b"caf%E9", b"\xff" * 255, b"n" * 255,
        b"line\nbreak\t", b"IM1.d/IM1", b"CT/IM1", b"ct/IM1", b"CT/im1", b" ", b"...", b"d/" * 20 + b"IM1",
    )  # fmt: skip
    images = dict(zip(names, Series("MR", 5, 16).images(len(names)), strict=True))
    outcome = works.convert(images)
    (part,) = outcome.parts
    assert works.values(part) == images
    with works.part(part) as opened:
        keys = [record.name for record in opened.records]
        assert [unescape_name(key) for key in keys] == sorted(names)
        assert keys == [escape_name(name) for name in sorted(names)]
        assert opened.value(opened.by_name("%2541")) == images[b"%41"]


def test_a_path_longer_than_the_kernel_takes_is_a_key_like_any(works) -> None:
    """PATH_MAX is 4,096 bytes; each part of a name is opened by itself."""
    part = b"p" * 250
    works.fill({b"short": _IMAGES[0]})
    at = os.open(works.path(b""), os.O_RDONLY)
    for _ in range(20):
        os.mkdir(part, dir_fd=at)
        inner = os.open(part, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = inner
    with open(os.open(b"deep", os.O_WRONLY | os.O_CREAT, dir_fd=at), "wb") as file:
        file.write(_IMAGES[1])
    os.close(at)
    outcome = works.convert()
    deep = b"/".join([part] * 20 + [b"deep"])
    assert works.values(outcome.parts[0]) == {b"short": _IMAGES[0], deep: _IMAGES[1]}


def test_damaged_and_other_files_are_kept_byte_for_byte(works) -> None:
    files = {
        b"cut": _IMAGES[0][:-100],
        b"empty": b"",
        b"dir": shipped("dicomdirtests", "DICOMDIR").read_bytes(),
        b"ok": _IMAGES[1],
    }
    outcome = works.convert(files)
    assert works.values(outcome.parts[0]) == files
    kinds = {f.stamp.name: f.kind for f in outcome.files}
    assert kinds == {b"cut": Kind.DAMAGED, b"empty": Kind.OTHER, b"dir": Kind.OTHER, b"ok": Kind.DICOM}
    reasons = {f.stamp.name: f.reason for f in outcome.files}
    assert [name for name, reason in reasons.items() if reason] == [b"cut"]


def test_a_description_that_an_engine_lost_or_doubled_is_noticed(works) -> None:
    """Else a file would be in no line of the ledger, or twice in the part."""
    works.fill({b"a": _IMAGES[0], b"b": _IMAGES[1]})
    task = works.task()
    one, two = works.describe(task)
    for described in ([one], [one, two, two], [one, one], []):
        with pytest.raises(EngineError, match="one description per file"):
            merge(task, described, works.desk)
    assert works.written() == {}


def test_a_file_of_another_task_is_noticed(works) -> None:
    works.fill({b"a": _IMAGES[0], b"b": _IMAGES[1]})
    task = works.task()
    with pytest.raises(EngineError):
        merge(ExamTask(7, task.folder, task.files[:1]), works.describe(task)[1:], works.desk)


def test_an_attempt_repeated_has_another_name_and_the_same_bytes(works) -> None:
    """So a zombie's attempt and its successor's never meet."""
    one, two = works.convert({b"a": _IMAGES[0]}).parts[0], works.convert().parts[0]
    assert one.attempt != two.attempt
    assert one.path == two.path
    assert works.store.read_all(one.attempt) == works.store.read_all(two.attempt)


def test_real_exams_come_out_as_they_went_in(tmp_path, works_in, real_exams) -> None:
    """A real Siemens MR, its heads above what is shuffled."""
    works = works_in(tmp_path)
    files = {
        str(p.relative_to(real_exams / "mr-mprage")).encode(): p.read_bytes()
        for p in sorted((real_exams / "mr-mprage").rglob("*"))[:12]
        if p.is_file()
    }
    outcome = works.convert(files)
    assert len(outcome.parts) == 1
    assert works.values(outcome.parts[0]) == files
    with Part.open(works.store, outcome.parts[0].attempt) as opened:
        for record, head, tail in opened.heads():
            data = files[record.name.encode()]
            assert data.startswith(head)
            assert data.endswith(tail)
