"""Opening and reading files of the SAN: nothing but regular files, inside the exam folder, and in our own words."""

from __future__ import annotations

import os
import stat
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdfo.errors import Changed, OutOfRange, SanError, Unreadable, Vanished
from sdfo.testing.odd import change_in_place, unreadable
from sdfo.tiers.san import San

_DATA = bytes(range(256)) * 20


@pytest.fixture
def exam(root: Path) -> Path:
    (root / "MUELLER^HANS" / "sub").mkdir(parents=True)
    (root / "MUELLER^HANS" / "sub" / "a").write_bytes(_DATA)
    (root.parent / "outside").mkdir()
    (root.parent / "outside" / "a").write_bytes(b"secret")
    return root / "MUELLER^HANS"


def test_a_listed_file_reads_as_it_lies(san: San, exam: Path) -> None:
    (stamp,) = san.list(b"MUELLER^HANS").files
    with san.open(b"MUELLER^HANS", stamp.name) as file:
        assert (file.name, file.size, file.stamp()) == (stamp.name, len(_DATA), stamp)
        file.require(stamp)
        assert file.read(0, len(_DATA)) == b"".join(file.stream(100)) == b"".join(file.stream()) == _DATA


@given(st.integers(-3, 10) | st.sampled_from([2**62, 2**64]), st.integers(-3, 10) | st.sampled_from([2**62, 2**64]))
def test_a_read_gives_all_of_it_or_is_out_of_range(tmp_path_factory, offset: int, length: int) -> None:
    root = tmp_path_factory.mktemp("san")
    (root / "exam").mkdir()
    (root / "exam" / "a").write_bytes(b"01234567")
    with San(str(root)).open(b"exam", b"a") as file:
        if offset >= 0 and length >= 0 and offset + length <= 8:
            assert file.read(offset, length) == b"01234567"[offset : offset + length]
        elif length:
            with pytest.raises(OutOfRange):
                file.read(offset, length)


def test_a_system_that_gives_less_at_once_is_asked_again(san: San, exam: Path, monkeypatch) -> None:
    """Linux gives 2 GiB less a page at most (read(2)), a network file system may give less than that."""
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda fd, length, offset: pread(fd, min(length, 1000), offset))
    with san.open(b"MUELLER^HANS", b"sub/a") as file:
        assert file.read(0, len(_DATA)) == _DATA
        assert file.read(7, 2000) == _DATA[7:2007]
        os.truncate(exam / "sub" / "a", 1500)
        with pytest.raises(OutOfRange):
            file.read(0, len(_DATA))


def test_a_file_that_is_cut_while_open_is_out_of_range(san: San, exam: Path) -> None:
    with san.open(b"MUELLER^HANS", b"sub/a") as file:
        os.truncate(exam / "sub" / "a", 10)
        with pytest.raises(OutOfRange):
            file.read(0, len(_DATA))
        with pytest.raises(OutOfRange):
            list(file.stream())


@pytest.mark.parametrize("change", [change_in_place, os.unlink, lambda p: os.truncate(p, 1), lambda p: os.chmod(p, 0)])
def test_require_notices_any_change(san: San, exam: Path, change) -> None:
    (stamp,) = san.list(b"MUELLER^HANS").files
    with san.open(b"MUELLER^HANS", b"sub/a") as file:
        change(exam / "sub" / "a")
        with pytest.raises(Changed):
            file.require(stamp)


def _link_file(exam: Path) -> None:
    (exam / "sub" / "a").unlink()
    (exam / "sub" / "a").symlink_to(exam.parent.parent / "outside" / "a")


def _link_folder(exam: Path) -> None:
    (exam / "sub").rename(exam / "was")
    (exam / "sub").symlink_to(exam.parent.parent / "outside")


def _link_exam(exam: Path) -> None:
    exam.rename(exam.parent.parent / "was")
    exam.symlink_to(exam.parent.parent / "was")


def _link_inside(exam: Path) -> None:
    (exam / "sub" / "a").rename(exam / "sub" / "b")
    (exam / "sub" / "a").symlink_to("b")


def _fifo(exam: Path) -> None:
    (exam / "sub" / "a").unlink()
    os.mkfifo(exam / "sub" / "a")


def _socket(exam: Path) -> None:
    (exam / "sub" / "a").unlink()
    os.mknod(exam / "sub" / "a", stat.S_IFSOCK | 0o600)


def _folder(exam: Path) -> None:
    (exam / "sub" / "a").unlink()
    (exam / "sub" / "a").mkdir()


@pytest.mark.parametrize("swap", [_link_file, _link_folder, _link_exam, _link_inside, _fifo, _socket, _folder])
def test_what_took_a_files_place_is_neither_read_nor_followed(san: San, exam: Path, swap) -> None:
    """The file that was listed is gone; a pipe holds nobody."""
    before = os.listdir("/proc/self/fd")
    swap(exam)
    with pytest.raises(Vanished):
        san.open(b"MUELLER^HANS", b"sub/a")
    assert os.listdir("/proc/self/fd") == before


def test_a_device_is_not_read() -> None:
    with pytest.raises(Vanished, match="no regular file"):
        San("/").open(b"dev", b"zero")


_HOSTILE = (
    b"../../outside/a", b"..", b".", b"", b"/", b"sub/../sub/a", b"./sub/a", b"sub//a", b"sub/a/", b"/etc/passwd",
    b"sub/a\0", b"\0",
)  # fmt: skip


@pytest.mark.parametrize("name", _HOSTILE)
def test_a_name_that_could_leave_its_folder_is_refused(san: San, exam: Path, name: bytes) -> None:
    with pytest.raises(Unreadable, match="no path below"):
        san.open(b"MUELLER^HANS", name)
    with pytest.raises(Unreadable, match="no path below"):
        san.open(name, b"sub/a")


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_no_name_whatever_brings_out_a_foreign_error(tmp_path_factory, folder: bytes, name: bytes) -> None:
    root = tmp_path_factory.mktemp("san")
    san = San(str(root))
    for ask in (lambda: san.open(folder, name), lambda: san.list(folder)):
        with pytest.raises(SanError):
            ask()
    assert not san.unchanged(folder, ((name, 0),))


def _provoke(san: San, exam: Path) -> list[BaseException]:
    """Errors of every kind, about names that are a patient's."""
    (exam / "sub" / "LINK^TO").symlink_to("a")
    folder, long_name = b"MUELLER^HANS", b"MUELLER^" * 40
    asked = (
        lambda: san.open(folder, b"MUELLER^GONE"),
        lambda: san.open(folder, b"sub/a/MUELLER^BELOW"),
        lambda: san.open(folder, b"sub/LINK^TO"),
        lambda: san.open(folder, b"sub"),
        lambda: san.open(folder, long_name),
        lambda: san.open(b"MUELLER^GONE", b"a"),
        lambda: san.open(folder, b"MUELLER^\0"),
        lambda: san.list(b"MUELLER^GONE"),
        lambda: san.list(b"../MUELLER^"),
        lambda: san.place(folder, long_name, b""),
        lambda: san.place(b"MUELLER^" * 40, b"a", b""),
        lambda: san.place(folder, b"../MUELLER^", b""),
        lambda: san.place(b"sub/MUELLER^", b"a", b""),
    )
    errors = list[BaseException]()
    for ask in asked:
        with pytest.raises(SanError) as caught:
            ask()
        errors.append(caught.value)
    return errors


def test_no_error_carries_a_name_nor_does_its_traceback(san: San, exam: Path) -> None:
    """A traceback shows an error's cause, and the system's own errors hold paths."""
    for error in _provoke(san, exam):
        shown = "".join(traceback.format_exception_only(error)) + str(error.__dict__)
        cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        assert cause is None, cause
        assert "MUELLER" not in shown
        assert "LINK" not in shown


_OPENED = """
import sys
from sdfo.errors import SanError
from sdfo.tiers.san import San
try:
    San(sys.argv[1]).open(b"MUELLER^HANS", b"sub/a")
except SanError as error:
    print([type(error).__name__, str(error)])
"""


@pytest.mark.parametrize("below", ["sub/a", "sub", "."])
def test_what_may_not_be_read_is_unreadable(exam: Path, root: Path, bound, below: str) -> None:
    """The file, a folder on the way, the exam folder."""
    with unreadable(exam / below):
        assert bound(_OPENED, str(root)) == ["Unreadable", "a file cannot be opened: Permission denied"]
