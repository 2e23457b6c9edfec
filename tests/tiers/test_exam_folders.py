"""Which folders are exams: those at exam depth, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdfo.errors import SanError, Unreadable
from sdfo.testing.odd import unreadable
from sdfo.tiers.san import San


@pytest.fixture
def filled(root: Path) -> Path:
    for folder in ("b/2/y", "b/1/x/deeper", "a/3", "a/3-files", "\udcff"):
        (root / folder).mkdir(parents=True)
    for file in ("stray", "b/stray", "b/2/stray", "b/2/y/file", "a/3/stray"):
        (root / file).write_bytes(b"")
    (root / "link").symlink_to(root / "a")
    (root / "b" / "link").symlink_to(root / "b" / "2")
    for own in (".sdfo-incoming", ".sdfo-expired/run/exam"):
        (root / own).mkdir(parents=True, exist_ok=True)
    (root / ".sdfo-incoming" / "half").write_bytes(b"")
    (root / ".sdfo-expired" / "run" / "exam" / "freed").write_bytes(b"")
    (root / "a" / ".sdfo-incoming").mkdir()
    return root


@pytest.mark.parametrize(
    ("depth", "exams", "strays"),
    [
        (1, (b"a", b"b", b"\xff"), (b"link", b"stray")),
        (2, (b"a/.sdfo-incoming", b"a/3", b"a/3-files", b"b/1", b"b/2"), (b"b/link", b"b/stray", b"link", b"stray")),
        (3, (b"b/1/x", b"b/2/y"), (b"a/3/stray", b"b/2/stray", b"b/link", b"b/stray", b"link", b"stray")),
        (8, (), (b"a/3/stray", b"b/2/stray", b"b/2/y/file", b"b/link", b"b/stray", b"link", b"stray")),
    ],
)
def test_exam_folders_lie_at_exam_depth_and_strays_above(filled: Path, depth: int, exams, strays) -> None:
    """Sorted; links are strays, wherever they lead; what the archive keeps at the root is neither."""
    assert San(str(filled), depth).exams() == (exams, strays, ())


def test_an_empty_san_has_no_exams(san: San) -> None:
    assert san.exams() == ((), (), ())


def test_a_root_that_cannot_be_listed_is_an_error(tmp_path: Path) -> None:
    """Whatever the reason: no night must take it for an empty one."""
    (tmp_path / "file").write_bytes(b"")
    for root in ("gone", "file", "file/below"):
        with pytest.raises(Unreadable, match="root cannot be listed"):
            San(str(tmp_path / root)).exams()


_EXAMS = """
import sys
from sdfo.errors import Unreadable
from sdfo.tiers.san import San
try:
    print(San(sys.argv[1], int(sys.argv[2])).exams())
except Unreadable as error:
    print(repr(str(error)))
"""


def test_a_closed_folder_above_exam_depth_costs_only_what_is_in_it(filled: Path, bound) -> None:
    """As `lost+found` is, to everybody but root."""
    with unreadable(filled / "a"):
        exams, strays, closed = bound(_EXAMS, str(filled), "2")
    assert (exams, closed) == ((b"b/1", b"b/2"), (b"a",))
    assert strays == (b"b/link", b"b/stray", b"link", b"stray")
    with unreadable(filled):
        assert bound(_EXAMS, str(filled), "1") == "the SAN's root cannot be listed"


def test_a_folder_that_goes_while_the_san_is_listed_is_no_error(filled: Path) -> None:
    """It takes its exams along; the next listing shows where they went."""

    class Moving(San):
        def _inside(self, folder, closed):
            found = super()._inside(folder, closed)
            if folder == b"":
                (filled / "a").rename(filled.parent / "moved")
            return found

    assert Moving(str(filled), 2).exams() == ((b"b/1", b"b/2"), (b"b/link", b"b/stray", b"link", b"stray"), ())


def test_a_link_that_takes_a_folders_place_is_not_followed(filled: Path) -> None:
    class Swapping(San):
        def _inside(self, folder, closed):
            found = super()._inside(folder, closed)
            if folder == b"":
                (filled / "a").rename(filled.parent / "moved")
                (filled / "a").symlink_to(filled.parent / "moved")
            return found

    assert Swapping(str(filled), 2).exams()[2] == (b"a",)


def test_no_error_tells_a_name(root: Path) -> None:
    with pytest.raises(SanError) as caught:
        San(str(root)).list(b"MUELLER^HANS/..")
    assert "MUELLER" not in str(caught.value)
