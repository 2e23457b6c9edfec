"""Names in the index and names of files: reversible, and safe on every store."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sdfo.sdicom import apart_name, escape_name, part_name, unescape_name
from sdfo.sdicom.names import is_below, may_leave
from sdfo.stores import checked

CHECK = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"CT/IM1.dcm", "CT/IM1.dcm"),
        ("späte Bilder".encode(), "späte Bilder"),
        (b"100%", "100%"),
        (b"%zz %4", "%zz %4"),
        (b"%41", "%2541"),
        (b"%e9 50% caf\xe9", "%25e9 50%25 caf%E9"),
        (b"\xed\xa0\x80", "%ED%A0%80"),  # half a surrogate pair is not UTF-8 (RFC 3629 section 3)
        (b"", ""),
    ],
)
def test_known_names(raw: bytes, shown: str) -> None:
    """A name stays readable unless it must be escaped."""
    assert escape_name(raw) == shown
    assert unescape_name(shown) == raw


@given(
    st.one_of(
        st.binary(max_size=40), st.lists(st.sampled_from([b"%", b"4", b"e", b"\xe9", "é".encode()])).map(b"".join)
    )
)
@example(b"%25")
def test_every_name_comes_back(raw: bytes) -> None:
    """Any bytes; what is shown is Unicode; no two names are shown alike."""
    shown = escape_name(raw)
    assert unescape_name(shown) == raw
    assert shown.encode().decode() == shown


@given(st.lists(st.sampled_from([b"/", b".", b"a", b"%", b"2", b"5", b"\0", b"\xff"]), max_size=7).map(b"".join))
def test_names_that_leave_are_found_among_many(raw: bytes) -> None:
    """The quick look at a whole column agrees with the rule for one name."""
    shown = escape_name(raw)
    assert may_leave(["a", shown, "b/c"]) == may_leave([shown]) == (not is_below(raw))


@given(st.text(max_size=100), st.text(max_size=10) | st.none())
@example("../../etc/x", None)
@example("\ud800", "2023\n01")
def test_no_study_leads_out_of_the_store(study: str, date: str | None) -> None:
    """Whatever a file claims as its study, the names made of it may stand on every store."""
    assert checked(part_name(study, date, CHECK)).startswith("exams/")
    assert "/" not in checked(apart_name(study, CHECK))


def test_a_part_lies_by_date() -> None:
    """Year and month of a real day; everything else is undated."""
    assert part_name("1.2.3", "20230704", CHECK) == "exams/2023/07/1.2.3-0123456789abcdef.sdicom"
    for date in (None, "", "20230230", "2023", "today"):
        assert part_name("1.2.3", date, CHECK) == "exams/undated/1.2.3-0123456789abcdef.sdicom"


@pytest.mark.parametrize("name", [apart_name, lambda study, check: part_name(study, None, check)])
def test_what_is_no_uid_becomes_a_digest(name: Callable[[str, str], str]) -> None:
    """Of 64 hex digits, the same each time, and another for another study."""
    stem = name("../x", CHECK).rpartition("/")[2]
    assert stem.startswith("d6b96a97d147daaae49eb87a5ca7bfbc280e79551016df8aa5edc5920d21c274-")
    assert stem != name("../y", CHECK).rpartition("/")[2]
