"""The SAN's id: an empty mount point has none, and none is ever replaced."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sdfo.errors import SanError, WrongSan
from sdfo.testing.odd import unmounted
from sdfo.tiers.san import San


def test_an_unmounted_san_is_not_an_empty_one(san: San, root: Path) -> None:
    san.require("tests")
    with unmounted(root):
        for ask in (san.identity, lambda: san.require("tests"), lambda: san.place(b"exam", b"name", b"")):
            with pytest.raises(WrongSan):
                ask()
        assert list(root.iterdir()) == []
    san.require("tests")


def test_another_san_is_refused_and_both_ids_are_told(san: San) -> None:
    with pytest.raises(WrongSan, match="expected meant, found tests"):
        san.require("meant")


@pytest.mark.parametrize("text", ["", " \n", "\xff"])
def test_an_id_that_says_nothing_is_none(tmp_path: Path, text: str) -> None:
    """As a crash may leave it. It is not replaced either: a person must look."""
    (tmp_path / ".sdfo-san").write_text(text, encoding="latin-1")
    san = San(str(tmp_path))
    for ask in (san.identity, san.adopt, lambda: san.require(""), lambda: san.require(text.strip())):
        with pytest.raises(WrongSan):
            ask()
    assert (tmp_path / ".sdfo-san").read_text(encoding="latin-1") == text


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/etc/hostname", path)])
def test_an_id_that_is_no_file_is_none(tmp_path: Path, make) -> None:
    """A FIFO does not hold the night either."""
    make(tmp_path / ".sdfo-san")
    with pytest.raises(WrongSan):
        San(str(tmp_path)).identity()


def test_adopting_again_keeps_the_id(tmp_path: Path) -> None:
    san = San(str(tmp_path / "new" / "san"))
    given = san.adopt()
    assert len(given) == 32
    assert san.adopt() == san.adopt("another") == san.identity() == given
    assert stat.S_IMODE((tmp_path / "new" / "san" / ".sdfo-san").stat().st_mode) & 0o222 == 0


def test_of_many_that_adopt_at_once_one_wins(tmp_path: Path) -> None:
    """All of them learn who; nothing else is left at the root."""
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: San(str(tmp_path)).adopt(f"id-{n}"), range(8)))
    assert set(found) == {San(str(tmp_path)).identity()}
    assert sorted(os.listdir(tmp_path)) == [".sdfo-incoming", ".sdfo-san"]
    assert os.listdir(tmp_path / ".sdfo-incoming") == []


def test_a_root_that_cannot_be_adopted_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for root in ("file", "file/below"):
        with pytest.raises(SanError, match="cannot be given its id"):
            San(str(tmp_path / root)).adopt()
