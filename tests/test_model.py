"""Values: the grammar of UIDs, UIDs made of other things, dates."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.config import IGNORE
from pydicom.uid import UID

from sdfo.model import ExamTask, Extent, FileStamp, derived_uid, is_uid, valid_date

# ---- is_uid


@pytest.mark.parametrize("text", ["1.2", "0.0", "2.25.0", "1.2.840.10008.1.2.1", "1." + "2" * 62])
def test_uids(text: str) -> None:
    """PS3.5 section 9.1: numeric components of which none but zero begins with a zero; 64 characters."""
    assert is_uid(text)


@pytest.mark.parametrize(
    "text",
    [None, "", "1", "1.", ".1", "1..2", "1.02", "00.1", "1.2 ", " 1.2", "1.2\0", "1.2\n", "1.-2", "1.2a", "1.٣", "1.²",
     "1." + "2" * 63, "../../etc/x", "1.2/3", "1,2"],
)  # fmt: skip
def test_no_uids(text: str | None) -> None:
    """Nothing that could be a path, and no digits but ASCII's."""
    assert not is_uid(text)


@given(st.one_of(st.text("0123456789.", max_size=70), st.text(max_size=70), st.from_regex(r"(\d{1,3}\.){1,20}\d")))
def test_uids_as_pydicom_judges(text: str) -> None:
    """It calls one component valid too, though an org root and a suffix are two; and lets a newline pass at the end."""
    assert is_uid(text) == (UID(text, validation_mode=IGNORE).is_valid and "." in text and not text.endswith("\n"))


# ---- derived_uid


@given(st.lists(st.binary(max_size=40), max_size=4))
def test_a_derived_uid_is_one(parts: list[bytes]) -> None:
    """Of the 2.25 form (PS3.5 section B.2), the same every time."""
    assert is_uid(derived_uid(*parts))
    assert derived_uid(*parts).startswith("2.25.")
    assert derived_uid(*parts) == derived_uid(*parts)


@given(st.binary(max_size=20), st.data())
def test_parts_do_not_run_together(joined: bytes, data: st.DataObject) -> None:
    """The same bytes divided elsewhere are another UID."""
    cuts = st.lists(st.integers(0, len(joined)), max_size=3).map(sorted)
    one, other = data.draw(cuts), data.draw(cuts)
    assert (derived_uid(*_cut(joined, one)) == derived_uid(*_cut(joined, other))) == (one == other)


def _cut(joined: bytes, cuts: list[int]) -> list[bytes]:
    return [joined[a:b] for a, b in zip([0, *cuts], [*cuts, len(joined)], strict=True)]


def test_derived_uids_never_change() -> None:
    """Archived exams are named by them."""
    assert derived_uid(b"exam", b"site", b"folder") == "2.25.238524118537849494831767581729801490946"


# ---- valid_date


@given(st.dates(), st.sampled_from(["", " ", "\0", "  "]))
def test_real_days(day: date, padding: str) -> None:
    """In DICOM's form and in ACR-NEMA's (PS3.5 section 6.2), padded or not."""
    plain = f"{day.year:04}{day.month:02}{day.day:02}"
    dotted = f"{day.year:04}.{day.month:02}.{day.day:02}"
    assert valid_date(plain + padding) == valid_date(dotted + padding) == plain


@given(st.integers(0, 99_999_999))
def test_only_real_days(number: int) -> None:
    """Eight digits are a date if the calendar has it."""
    text = f"{number:08}"
    try:
        date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        assert valid_date(text) is None
    else:
        assert valid_date(text) == text


@pytest.mark.parametrize(
    "text",
    [None, "", "2024", "202401", "2024010", "202401011", "2024-01-01", "2024.0101", "2024.1.1", "20.24.0101", "2.0.2.4.0101",
     "20240101-20240102", "２０２４０１０１", "20240229.", "2023.02.29", "2024010a", "+2024010", "2024 101"],
)  # fmt: skip
def test_no_dates(text: str | None) -> None:
    assert valid_date(text) is None


def test_a_leap_year() -> None:
    assert [valid_date(f"{year}0229") for year in (1900, 2000, 2023, 2024)] == [None, "20000229", None, "20240229"]
    assert valid_date(f"{date(2023, 2, 28) + timedelta(days=1):%Y%m%d}") == "20230301"


# ---- small values


def test_an_extent_ends() -> None:
    assert Extent(10, 5).end == 15


def test_values_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        Extent(1, 2).offset = 3  # type: ignore[misc]


def test_a_task_knows_its_size() -> None:
    """In bytes, of all its files."""
    files = tuple(FileStamp(b"%d" % n, n, 0, 0) for n in range(4))
    assert ExamTask(1, b"folder", files).size == 6
