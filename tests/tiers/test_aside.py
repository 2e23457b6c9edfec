"""Moving files of the SAN aside and back: within its root, over no link, and never over a name that is taken."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from sdfo.errors import Changed, SanError, Unreadable, Vanished, WrongSan
from sdfo.tiers.aside import Aside, AsideFile
from sdfo.tiers.san import San


@pytest.fixture
def exam(root: Path) -> Path:
    (root / "MUELLER^HANS" / "sub").mkdir(parents=True)
    (root / "MUELLER^HANS" / "sub" / "a").write_bytes(b"data")
    return root / "MUELLER^HANS"


PATH = b"MUELLER^HANS/sub/a"


def test_there_and_back(san: San, exam: Path) -> None:
    """With its own path; emptied folders go, and are made again for it; a name that is taken is not replaced."""
    with Aside(san, "tests") as aside:
        taken = aside.take("r1", PATH)
        assert (exam.parent / ".sdfo-expired/r1/MUELLER^HANS/sub/a").read_bytes() == b"data"
        assert list(aside.files()) == [taken] == [AsideFile("r1", PATH)]
        assert aside.look_aside(taken).sha256 == hashlib.sha256(b"data").hexdigest()
        assert aside.empty(b"MUELLER^HANS", [b"sub/a"])
        assert not exam.exists()
        assert aside.put_back(taken) == PATH
        aside.sync()
        taken = aside.take("r1", PATH)
        (exam / "sub" / "a").write_bytes(b"new")
        with pytest.raises(SanError, match="aside already"):
            aside.take("r1", PATH)
        back = aside.put_back(taken)
        assert (exam / "sub" / "a").read_bytes() == b"new"
        assert (exam.parent / back.decode()).read_bytes() == b"data"


def test_it_removes_only_what_was_looked_at(san: San, exam: Path) -> None:
    """A file that was written to since, or replaced, stays."""
    with Aside(san, "tests") as aside:
        taken = aside.take("r1", PATH)
        look, there = aside.look_aside(taken), exam.parent / ".sdfo-expired/r1/MUELLER^HANS/sub/a"
        there.write_bytes(b"dato")
        with pytest.raises(Changed):
            aside.unlink(taken, look)
        there.unlink()
        there.write_bytes(b"data")
        with pytest.raises(Changed):
            aside.unlink(taken, look)
        aside.unlink(taken, aside.look_aside(taken))
        assert list((exam.parent / ".sdfo-expired").iterdir()) == []


def test_a_folder_that_holds_anything_stays(san: San, exam: Path) -> None:
    """A file, a link, or an empty folder that no file went from: a scanner may be about to write there. Emptied ones go."""
    (exam / "link").symlink_to("nowhere")
    (exam / "next").mkdir()
    with Aside(san, "tests") as aside:
        aside.take("r1", PATH)
        assert not aside.empty(b"MUELLER^HANS", [b"sub/a"])
    assert sorted(path.name for path in exam.iterdir()) == ["link", "next"]


@pytest.mark.parametrize("path", [b"../outside", b"MUELLER^HANS/../../outside", b"/etc/hostname", b"MUELLER^HANS/a\0b"])
def test_no_path_leads_out(san: San, exam: Path, path: bytes) -> None:
    """Whatever a catalog says."""
    (exam.parent.parent / "outside").write_bytes(b"x")
    with Aside(san, "tests") as aside:
        for act in (lambda: aside.take("r1", path), lambda: aside.look(path), lambda: aside.take("../r", PATH)):
            with pytest.raises(Unreadable):
                act()
    assert (exam.parent.parent / "outside").exists()
    assert (exam / "sub" / "a").exists()


def test_links_are_not_followed(san: San, exam: Path) -> None:
    """Neither a file's nor a folder's, nor that of `.sdfo-expired` itself."""
    outside = exam.parent.parent / "outside"
    (exam / "sub").rename(outside)
    (exam / "sub").symlink_to(outside)
    (exam / "b").symlink_to(outside / "a")
    (exam / "c").write_bytes(b"c")
    with Aside(san, "tests") as aside:
        for path in (PATH, b"MUELLER^HANS/b", b"MUELLER^HANS/sub"):
            with pytest.raises(Vanished):
                aside.take("r1", path)
        assert not aside.empty(b"MUELLER^HANS", [b"sub/a"])
        aside.tidy()
        (exam.parent / ".sdfo-expired").symlink_to(outside)
        with pytest.raises(Vanished):
            aside.take("r1", b"MUELLER^HANS/c")
        assert list(aside.files()) == []
    assert [path.name for path in outside.iterdir()] == ["a"]


def test_another_folder_at_the_root_is_noticed(san: San, exam: Path) -> None:
    """Also one that has the same id, as a copy of the SAN would."""
    with Aside(san, "tests") as aside:
        aside.require()
        exam.parent.rename(exam.parent.parent / "away")
        San(str(exam.parent)).adopt("tests")
        with pytest.raises(WrongSan):
            aside.require()
    with pytest.raises(WrongSan):
        Aside(san, "another")


def test_no_error_has_a_name_in_it(san: San, exam: Path) -> None:
    """They are patients' names."""
    with Aside(san, "tests") as aside, pytest.raises(SanError) as caught:
        aside.take("r1", b"MUELLER^HANS/none")
    assert "MUELLER" not in str(caught.value)
    assert caught.value.__cause__ is None
