"""Heads on local disk, while their descriptions wait."""

from __future__ import annotations

import os

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from sdfo.converter.describe import SHUFFLE_MOST
from sdfo.converter.waiting_heads import WaitingHeads
from sdfo.errors import Unavailable
from sdfo.model import Description, FileStamp, Kind
from sdfo.spool import Spool


def _described(name: bytes, head: bytes | None) -> Description:
    packed = None if head is None else zstandard.compress(head, 3)
    return Description(FileStamp(name, 0, 0, 0), "", Kind.DICOM, head=packed)


@given(st.dictionaries(st.binary(min_size=1, max_size=5), st.none() | st.binary(max_size=300), max_size=8))
def test_what_was_kept_comes_back_in_any_order(heads) -> None:
    with Spool() as spool:
        waiting = WaitingHeads(spool)
        kept = [waiting.keep(_described(name, head)) for name, head in heads.items()]
        assert all(d.head is None for d in kept)
        assert {d.stamp.name: waiting.of(d) for d in reversed(kept)} == heads


def test_the_longest_head_comes_back() -> None:
    with Spool() as spool:
        waiting = WaitingHeads(spool)
        for head in (b"", bytes(SHUFFLE_MOST), os.urandom(SHUFFLE_MOST)):
            assert waiting.of(waiting.keep(_described(b"a", head))) == head


def test_a_full_disk_is_said(limited) -> None:
    """The write that only half fits is not taken for done; no head comes back cut."""
    heads = {b"%d" % n: os.urandom(SHUFFLE_MOST) for n in range(20)}
    kept = list[Description]()
    with Spool() as spool:
        waiting = WaitingHeads(spool)
        with limited(10 * SHUFFLE_MOST), pytest.raises(Unavailable, match="TMPDIR"):
            kept.extend(waiting.keep(_described(name, head)) for name, head in heads.items())
        assert [waiting.of(d) for d in kept] == [heads[d.stamp.name] for d in kept]


def test_no_room_at_all_is_said(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    with pytest.raises(Unavailable), Spool():
        pass


def test_nothing_is_left_on_the_disk(monkeypatch, tmp_path) -> None:
    """The file has no name, so that a killed process leaves none."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Spool() as spool:
        waiting = WaitingHeads(spool)
        waiting.keep(_described(b"a", b"head"))
        assert list(tmp_path.iterdir()) == []
