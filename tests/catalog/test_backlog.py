"""The backlog of the first load, as the catalog keeps it."""

from __future__ import annotations

from datetime import UTC, datetime

from sdfo.catalog import Catalog
from sdfo.catalog.backlog import TAKEN, WAITING, Backlog

AT = datetime(2026, 11, 24, tzinfo=UTC)


def _listed(catalog: Catalog, name: bytes, newest_ns: int, state: str = WAITING) -> int:
    return catalog.keep_listing(name, "digest", newest_ns, ((b"", 1),), 10, AT, state)


def test_what_waits_is_counted_and_comes_newest_first(catalog: Catalog) -> None:
    """Folders in any other state are no part of it; of equal age, by name."""
    _listed(catalog, b"young", 30, "settled")
    for name, newest_ns in ((b"old", 10), (b"new", 20), (b"also new", 20)):
        _listed(catalog, name, newest_ns)
    assert catalog.backlog() == Backlog(3, 30, 20, 10)
    assert [row.path for row in catalog.waiting(9)] == [b"also new", b"new", b"old"]
    assert [row.path for row in catalog.waiting(1)] == [b"also new"]


def test_an_empty_backlog(catalog: Catalog) -> None:
    """Zeros, and no dates."""
    assert catalog.backlog() == Backlog(0, 0, None, None)
    assert catalog.waiting(9) == catalog.sample_waiting(1) == []


def test_a_folder_is_taken_once(catalog: Catalog) -> None:
    """One that something else has become of meanwhile stays what it is."""
    ids = [_listed(catalog, b"%d" % number, number) for number in range(3)]
    catalog.set_folder_state(ids[:1], "archived")
    catalog.take_waiting(ids[:2])
    assert [catalog.folders()[b"%d" % number].state for number in range(3)] == ["archived", TAKEN, WAITING]


def test_a_sample_is_one_of_so_many(catalog: Catalog) -> None:
    """All of them if each is asked for; about a third of them if one of three is."""
    for number in range(12):
        _listed(catalog, b"%02d" % number, number)
    assert len(catalog.sample_waiting(1)) == 12
    assert len(catalog.sample_waiting(3)) == 4
