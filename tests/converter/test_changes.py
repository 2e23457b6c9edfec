"""Files that change while they are read: the exam is unsettled, nothing of it is archived, and nobody else notices."""

from __future__ import annotations

import os
import subprocess
import sys
from ast import literal_eval
from collections.abc import Callable
from functools import partial

import pytest

from sdfo.converter import Problem, describe, merge
from sdfo.errors import HeaderMismatch, Unavailable
from sdfo.model import Fate
from sdfo.sdicom import Part
from sdfo.testing.exams import Series
from sdfo.testing.odd import change_in_place, unreadable
from sdfo.testing.unprivileged import unprivileged
from sdfo.tiers.san import San, SanFile

_NAMES = (b"a", b"sub/b", b"c")
_VICTIM = b"sub/b"
_IMAGES = dict(zip(_NAMES, Series("CT", 1, 16).images(3), strict=True))
_LONG = next(Series("CT", 1, 1600).images(1))  # more than is read at once
_SIEMENS = dict(zip(_NAMES, Series("MR", 2, 16, head_bytes="siemens").images(3), strict=True))


def _grow(path: bytes) -> None:
    with open(path, "ab") as file:
        file.write(b"more")


def _cut(path: bytes) -> None:
    os.truncate(path, os.path.getsize(path) - 10)


def _empty(path: bytes) -> None:
    os.truncate(path, 0)


def _replace(path: bytes) -> None:
    """By a file of the same size and times: as `cp -p` over it from a neighbour would."""
    stat, neighbour = os.stat(path), path + b".tmp"
    with open(neighbour, "wb") as file:
        file.write(b"x" * stat.st_size)
    os.utime(neighbour, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    os.rename(neighbour, path)


def _to_link(path: bytes) -> None:
    os.rename(path, path + b".real")
    os.symlink(path + b".real", path)


def _to_fifo(path: bytes) -> None:
    os.unlink(path)
    os.mkfifo(path)


def _to_folder(path: bytes) -> None:
    os.unlink(path)
    os.mkdir(path)


def _parent_to_link(path: bytes) -> None:
    parent = os.path.dirname(path)
    os.rename(parent, parent + b".real")
    os.symlink(parent + b".real", parent)


def _parent_to_file(path: bytes) -> None:
    parent = os.path.dirname(path)
    os.rename(parent, parent + b".real")
    os.close(os.open(parent, os.O_CREAT))


CHANGES = (
    _grow, _cut, _empty, change_in_place, os.unlink, _replace,
    _to_link, _to_fifo, _to_folder, _parent_to_link, _parent_to_file,
)  # fmt: skip
_OF_THE_NAME = (_parent_to_link, _parent_to_file)
"""What an open file does not notice, nor need: its bytes are those that were listed."""


class Meddling(San):
    """A SAN where `then` happens when `name` is opened for the `at`-th time: before, after, or after it was read from."""

    then: Callable[[], None]

    def __init__(self, root: str, *, name: bytes, at: int, when: str) -> None:
        super().__init__(root)
        self.name, self.at, self.when = name, at, when

    def open(self, folder: bytes, name: bytes) -> SanFile:
        self.at -= name == self.name
        now = self.when if name == self.name and self.at == 0 else ""
        if now == "before":
            self.then()
        file = super().open(folder, name)
        if now == "opened":
            self.then()
        if now == "read":
            file.__class__ = _Watched
            file.then = self.then
        return file


class _Watched(SanFile):
    then: Callable[[], None] | None

    def read(self, offset: int, length: int) -> bytes:
        data = super().read(offset, length)
        then, self.then = self.then, None
        if then:
            then()
        return data


def _assert_unsettled(works, outcome) -> None:
    """The victim changed, and says how; all others are settling, and there is no part to publish."""
    assert {f.stamp.name: f.fate for f in outcome.files} == {
        name: Fate.CHANGED if name == _VICTIM else Fate.SETTLING for name in _NAMES
    }
    assert [f.ordinal for f in outcome.files] == [0, 1, 2]
    assert all(bool(f.reason) == (f.stamp.name == _VICTIM) for f in outcome.files)
    assert outcome.parts == ()
    assert outcome.reason == "1 file(s) changed or vanished while the exam was read"
    assert all(path.startswith("attempts/") for path in works.written())
    assert "MUELLER" not in f"{outcome.reason}{[f.reason for f in outcome.files]}"


_READINGS = {
    "described": (_IMAGES, 1),
    "merged": (_IMAGES, 2),
    "its large head read": (_SIEMENS, 2),
    "merged, its large head read before": (_SIEMENS, 3),
}
"""Which opening of the file is meant, counted over describe and merge."""


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("when", ["before", "opened", "read"])
@pytest.mark.parametrize("reading", _READINGS)
def test_a_file_that_changes_unsettles_its_exam(tmp_path, works_in, change, when: str, reading: str) -> None:
    """At any moment between the listing and the last byte of merge, with threads (every other case) or without."""
    images, at = _READINGS[reading]
    threads = 1 + CHANGES.index(change) % 2
    works = works_in(tmp_path, san=partial(Meddling, name=_VICTIM, at=at, when=when), threads=threads)
    works.san.then = lambda: change(works.path(_VICTIM))
    outcome = works.convert(images)
    if change in _OF_THE_NAME and reading.startswith("merged") and when != "before":
        assert works.values(outcome.parts[0]) == images
    else:
        _assert_unsettled(works, outcome)


@pytest.mark.parametrize("change", [_grow, _cut, _empty, os.unlink, _replace])
@pytest.mark.parametrize("when", ["before", "opened", "read"])
@pytest.mark.parametrize("limit", [1 << 20, 1 << 26], ids=["apart", "record"])
def test_a_file_of_several_pieces_that_changes_unsettles_its_exam(tmp_path, works_in, change, when, limit) -> None:
    """Its first pieces are in the attempt before the last one is read."""
    works = works_in(tmp_path, limit, san=partial(Meddling, name=_VICTIM, at=2, when=when))
    works.san.then = lambda: change(works.path(_VICTIM))
    _assert_unsettled(works, works.convert(_IMAGES | {_VICTIM: _LONG}))


@pytest.mark.parametrize("change", [c for c in CHANGES if c not in _OF_THE_NAME])
@pytest.mark.parametrize("when", ["before", "opened", "read"])
def test_describe_says_itself_that_a_file_changed(tmp_path, works_in, change, when: str) -> None:
    """It does not leave that to merge: the head of a file that is in flux goes nowhere."""
    works = works_in(tmp_path, san=partial(Meddling, name=_VICTIM, at=1, when=when))
    works.san.then = lambda: change(works.path(_VICTIM))
    works.fill(_IMAGES)
    found = works.describe(works.task())
    assert [isinstance(each, Problem) and each.fate for each in found] == [False, False, Fate.CHANGED]


def test_a_file_that_grows_behind_the_reader_unsettles_its_exam(tmp_path, works_in) -> None:
    """What was described is all there and equal, yet the file goes on: the first pieces are written already."""

    class Growing(San):
        def open(self, folder: bytes, name: bytes) -> SanFile:
            file = super().open(folder, name)
            file.__class__ = _Sent
            return file

    class _Sent(SanFile):
        def stream(self, chunk: int = 1 << 20):
            for number, piece in enumerate(super().stream(1 << 20)):
                if number == 1 and self.name == _VICTIM:
                    _grow(works.path(_VICTIM))
                yield piece

    works = works_in(tmp_path, san=Growing)
    large = dict(zip(_NAMES, Series("CT", 1, 1024).images(3), strict=True))
    _assert_unsettled(works, works.convert(large))
    assert b"" not in works.written().values()


class _Rotten(SanFile):
    """A disk that gives another bit than it gave before; no time on the file tells."""

    bad = -1

    def read(self, offset: int, length: int) -> bytes:
        data = bytearray(super().read(offset, length))
        if offset <= self.bad < offset + length:
            data[self.bad - offset] ^= 1
        return bytes(data)


class RottenSan(San):
    """`bad`: for each opening of the victim, the place of the bit that is wrong in it."""

    bad: tuple[int, ...] = ()

    def open(self, folder: bytes, name: bytes) -> SanFile:
        file = super().open(folder, name)
        if name == _VICTIM:
            file.__class__ = _Rotten
            file.bad, self.bad = self.bad[0], self.bad[1:]
        return file


@pytest.mark.parametrize("at", [0, 200, -1])
def test_other_bytes_at_the_second_reading_unsettle_the_exam(tmp_path, works_in, at: int) -> None:
    """Same size, same times, another digest."""
    works = works_in(tmp_path, san=RottenSan)
    works.san.bad = (-1, at % len(_IMAGES[_VICTIM]))
    outcome = works.convert(_IMAGES)
    _assert_unsettled(works, outcome)
    assert outcome.files[2].reason == "a file's bytes changed between two readings"


def test_other_bytes_in_a_large_head_are_seen_by_the_verifier(tmp_path, works_in) -> None:
    """Merge reads such a head by itself; its bytes are compared with the value's when the attempt is checked."""
    works = works_in(tmp_path, san=RottenSan)
    works.san.bad = (-1, 300, -1)
    (part,) = works.convert(_SIEMENS).parts
    with pytest.raises(HeaderMismatch, match="heads differ"):
        works.values(part)


def test_large_files_apart_are_compared_too(tmp_path, works_in) -> None:
    works = works_in(tmp_path, 100, san=RottenSan)
    works.san.bad = (-1, 300)
    _assert_unsettled(works, works.convert(_IMAGES))


def test_a_changed_exam_is_archived_when_it_has_settled(works) -> None:
    works.fill(_IMAGES)
    task = works.task()
    described = works.describe(task)
    _grow(works.path(_VICTIM))
    _assert_unsettled(works, merge(task, described, works.desk))
    (part,) = works.convert().parts
    assert works.values(part) == _IMAGES | {_VICTIM: _IMAGES[_VICTIM] + b"more"}


def test_a_full_store_is_no_fault_of_the_exam(tmp_path, works_in, limited) -> None:
    """It is raised, so that the step fails and is repeated; what was written is an attempt."""
    works = works_in(tmp_path)
    works.fill(dict(zip(_NAMES, Series("CT", 1, 512).images(3), strict=True)))
    task = works.task()
    described = works.describe(task)
    with limited(100_000), pytest.raises(Unavailable):
        merge(task, described, works.desk)
    assert [len(data) for data in works.written().values()] == [100_000]


def test_no_descriptor_is_left_open(tmp_path, works_in) -> None:
    """Neither by what went well nor by what did not."""
    works = works_in(tmp_path, 600)
    works.fill(_SIEMENS)
    before = sorted(os.listdir("/proc/self/fd"))
    works.convert()
    for change in (_grow, _to_fifo, _to_folder):
        task = works.task()
        described = works.describe(task)
        change(works.path(_VICTIM))
        merge(task, described, works.desk)
        describe(works.san, task.folder, task.files[0])
        describe(works.san, task.folder, task.files[-1])
    assert sorted(os.listdir("/proc/self/fd")) == before


_IN_BOUNDS = """
import os, sys
from pathlib import Path
from sdfo.converter import Desk, describe, merge
from sdfo.model import ExamTask
from sdfo.stores.local import LocalStore
from sdfo.tiers.san import San

top = Path(sys.argv[1])
san = San(str(top / "san"))
task = ExamTask(7, os.fsencode(sys.argv[2]), san.list(os.fsencode(sys.argv[2])).files)
desk = Desk(san, LocalStore(top / "hdfs"), "site", "attempts/run", 1 << 26)
outcome = merge(task, [describe(san, task.folder, stamp) for stamp in task.files], desk)
print([(f.stamp.name, f.fate.name, f.reason) for f in outcome.files], *(p.attempt for p in outcome.parts), sep="\\n")
"""


def test_an_unreadable_file_does_not_hold_the_others(works) -> None:
    """In a process that permissions bind, also where the tests run as root."""
    works.fill(_IMAGES)
    command = unprivileged([sys.executable, "-c", _IN_BOUNDS, str(works.top), works.folder.decode()])
    with unreadable(works.path(_VICTIM)):
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    files, attempt = done.stdout.splitlines()
    assert literal_eval(files) == [
        (b"a", "ARCHIVED", None),
        (b"c", "ARCHIVED", None),
        (_VICTIM, "UNREADABLE", "a file cannot be opened: Permission denied"),
    ]
    with Part.open(works.store, attempt) as part:
        assert part.check(deep=True).records == 2
        assert [part.value(record) for record in part.records] == [_IMAGES[b"a"], _IMAGES[b"c"]]


def test_an_unreadable_file_stays_so_in_an_exam_that_is_unsettled(works) -> None:
    """Its own fate is not hidden behind the others' waiting."""
    works.fill(_IMAGES)
    task = works.task()
    described = works.describe(task)
    described[0] = Problem(task.files[0], Fate.UNREADABLE, "a file cannot be opened: Permission denied")
    _grow(works.path(_VICTIM))
    outcome = merge(task, described, works.desk)
    assert [f.fate for f in outcome.files] == [Fate.UNREADABLE, Fate.SETTLING, Fate.CHANGED]
