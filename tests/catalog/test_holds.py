"""Holds: they cover the exams that are meant, until released, and their numbers are never given twice."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import delete

from sdfo.catalog import Catalog, HoldKind, SanFile, StudyAttributes, rebuild, tables
from sdfo.errors import NotFound, UsageError
from sdfo.stores.local import LocalStore


def _study(catalog: Catalog, uid: str, patient: str) -> None:
    folder = catalog.folder(uid.encode())
    catalog.note_files(folder, [SanFile(b"1", 1, 1, 1, uid)], [StudyAttributes(uid, patient)])


@pytest.fixture
def filled(catalog: Catalog) -> Catalog:
    """Two exams of one patient, one of another."""
    for uid, patient in (("1.1", "Aa1"), ("1.2", "Aa1"), ("1.3", "b2")):
        _study(catalog, uid, patient)
    return catalog


ALL = ["1.1", "1.2", "1.3", "1.4"]


def test_a_hold_covers_an_exam_a_list_or_a_patient(filled: Catalog) -> None:
    """A patient's id in whatever case, and exams that come later; a UID that nothing answers to covers nothing yet."""
    assert filled.held(ALL) == {}
    assert filled.hold(HoldKind.STUDY, ["1.3", "1.4", "1.3"], "list", "ann") == 1
    assert filled.hold(HoldKind.PATIENT, [" aA1 "], "court", "ann") == 2
    assert filled.held(ALL) == {"1.1": (2,), "1.2": (2,), "1.3": (1,)}
    _study(filled, "1.4", "AA1")
    assert filled.held(ALL)["1.4"] == (1, 2)
    assert [(hold.subjects, hold.exams) for hold in filled.holds()] == [(("1.3", "1.4"), 2), (("aA1",), 3)]


def test_a_corrected_patient_id_ends_no_hold(filled: Catalog) -> None:
    """The exam stays covered, and is not when the hold is released; what the other patient has besides is not covered."""
    filled.hold(HoldKind.PATIENT, ["AA1"], "court", "ann")
    _study(filled, "1.1", "b2")
    _study(filled, "1.2", "Aa1")
    assert filled.held(ALL) == {"1.1": (1,), "1.2": (1,)}
    assert [(hold.kind, hold.subjects, hold.exams) for hold in filled.holds()] == [(HoldKind.PATIENT, ("AA1",), 2)]
    filled.release_hold(1, "bob")
    _study(filled, "1.1", "c3")
    assert filled.held(ALL) == {}


def test_a_released_hold_covers_nothing(filled: Catalog) -> None:
    """It stays in the list of all; releasing it again changes nothing; its number is not given again."""
    filled.hold(HoldKind.STUDY, ["1.1"], "x", "ann")
    filled.release_hold(1, "bob")
    before = filled.holds(released=True)
    filled.release_hold(1, "eve")
    assert filled.held(ALL) == {}
    assert filled.holds() == []
    assert filled.holds(released=True) == before
    assert (before[0].released_by, before[0].released is not None) == ("bob", True)
    assert filled.hold(HoldKind.STUDY, ["1.1"], "x", "ann") == 2
    with pytest.raises(NotFound, match="no such hold"):
        filled.release_hold(3, "bob")


def test_a_hold_of_nothing_is_refused(catalog: Catalog) -> None:
    """An empty list must not look like a hold."""
    with pytest.raises(UsageError):
        catalog.hold(HoldKind.STUDY, ["", "  "], "x", "ann")


def test_a_hold_that_the_database_forgot_comes_back_with_a_rebuild(
    filled: Catalog, store: LocalStore, new_url: Callable[[], str]
) -> None:
    """Put back to a day before it, it gave the number again: both are in the journal, and both are in force."""
    filled.hold(HoldKind.STUDY, ["1.1"], "court", "ann")
    with filled.database.write() as conn:
        conn.execute(delete(tables.hold))
    assert filled.hold(HoldKind.STUDY, ["1.2"], "trial", "bob") == 1
    again = Catalog(new_url(), store)
    rebuild(again, store)
    assert [(hold.id, hold.subjects) for hold in again.holds()] == [(1, ("1.1", "1.2"))]
    again.close()


def test_holds_survive_a_rebuild(filled: Catalog, store: LocalStore, new_url: Callable[[], str]) -> None:
    """With their numbers, reasons and dates; a large list too."""
    filled.hold(HoldKind.STUDY, [f"1.2.{n}" for n in range(1200)], "study", "ann")
    filled.hold(HoldKind.PATIENT, ["Müller 7"], "court", "ann")
    filled.release_hold(1, "bob")
    before = [(hold.id, hold.subjects, hold.reason, hold.since, hold.released) for hold in filled.holds(released=True)]
    again = Catalog(new_url(), store)
    rebuild(again, store)
    after = [(hold.id, hold.subjects, hold.reason, hold.since, hold.released) for hold in again.holds(released=True)]
    assert after == before
    assert len(after[0][1]) == 1200
    assert again.hold(HoldKind.STUDY, ["1.1"], "x", "ann") == 3
    again.close()
