"""The gate's lines, each true and false, and all of them together: open only where every one is true."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from sdfo.conf import Expire
from sdfo.model import Tier
from sdfo.nightly.freeing.clock import Tick, stepped
from sdfo.nightly.freeing.gate import LINES, CopyFact, Facts, Night, closed, least_days, terms
from sdfo.testing.expiring import SPOILT

NOW = datetime(2026, 11, 24, 22, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
TERMS = terms(Expire(), Tier.SAN, ())
NIGHT = Night(NOW, catalog_backup=NOW - timedelta(hours=1), drill=NOW - 6 * DAY, drill_green=True)
COPIES = (
    CopyFact(Tier.HDFS, "verified", NOW - 50 * DAY),
    CopyFact(Tier.NEARLINE, "verified", NOW - 200 * DAY),
    CopyFact(Tier.TAPE, "written", None),
)
OPEN = Facts(Tier.SAN, NIGHT, TERMS, NOW - 91 * DAY, "20260810", True, COPIES)

Spoil = Callable[[Facts], Facts]


def _copy(tier: Tier, **fields: object) -> Spoil:
    def spoil(facts: Facts) -> Facts:
        return replace(facts, copies=tuple(replace(c, **fields) if c.tier is tier else c for c in facts.copies))

    return spoil


def _night(**fields: object) -> Spoil:
    return lambda facts: replace(facts, night=replace(facts.night, **fields))


def _facts(**fields: object) -> Spoil:
    return lambda facts: replace(facts, **fields)


FALSE: dict[str, Spoil] = {
    "first seen long ago": _facts(first_seen=NOW - 89 * DAY),
    "study long ago": _facts(study_date="20261120"),
    "part published": _facts(published=False),
    "nearest copy re-read lately": _copy(Tier.HDFS, verified_at=NOW - 101 * DAY),
    "second copy re-read": _copy(Tier.NEARLINE, verified_at=None),
    "copies wanted": _copy(Tier.NEARLINE, state="written"),
    "a copy off-line or off-site": _copy(Tier.TAPE, state="damaged"),
    "HDFS replication healthy": _night(replication="1 blocks with too few replicas"),
    "nothing set aside": _facts(entries=1),
    "no hold": _facts(holds=(3,)),
    "catalog backed up tonight": _night(catalog_backup=None),
    "last drill green": _night(drill_green=False),
    "clock to be believed": _night(clock="the clock was set by 2.0 h"),
    "open since the last rebuild": _night(shut=NOW - DAY),
    "copies in place": _copy(Tier.HDFS, fault="another file lies at its name"),
    "unchanged since archived": _facts(changed="it is not what was archived"),
}


def test_every_line_can_be_false() -> None:
    """Here, and end to end but for HDFS's replication, which a test on a real HDFS breaks."""
    names = [line.name for line in LINES]
    assert list(FALSE) == names
    assert set(SPOILT) == set(names) - {"HDFS replication healthy"}


def test_the_truth_table() -> None:
    """All combinations of lines made true and false: the gate is open where none was made false, and there alone."""
    assert sum(_judged(OPEN, list(FALSE), frozenset())) == 1
    assert closed(OPEN) == {}


def _judged(facts: Facts, left: list[str], made: frozenset[str]) -> Iterator[bool]:
    """Whether the gate is open, for these facts with each choice of the lines left made false."""
    if left:
        yield from _judged(facts, left[1:], made)
        yield from _judged(FALSE[left[0]](facts), left[1:], made | {left[0]})
        return
    found = closed(facts)
    assert made <= found.keys(), made - found.keys()
    yield not found


@pytest.mark.parametrize(
    ("line", "spoil"),
    [
        ("first seen long ago", _facts(first_seen=None)),
        ("first seen long ago", _facts(terms=replace(TERMS, days=None))),
        ("part published", _facts(published=False, copies=())),
        ("nearest copy re-read lately", _copy(Tier.HDFS, state="damaged")),
        ("nearest copy re-read lately", _copy(Tier.HDFS, verified_at=None)),
        ("nearest copy re-read lately", _facts(copies=COPIES[1:])),
        ("second copy re-read", _facts(copies=COPIES[::2])),
        ("copies wanted", _facts(copies=COPIES[:2])),
        ("catalog backed up tonight", _night(catalog_backup=NOW - timedelta(hours=25))),
        ("last drill green", _night(drill=None)),
        ("nearest copy re-read lately", _copy(Tier.HDFS, verified_at=NOW + 2 * HOUR)),
        ("catalog backed up tonight", _night(catalog_backup=NOW + 300 * DAY)),
        ("last drill green", _night(drill=NOW + 300 * DAY)),
        ("last drill green", _night(drill=NOW - 16 * DAY)),
    ],
)
def test_other_ways_to_be_false(line: str, spoil: Spoil) -> None:
    """What is not known is not true."""
    assert line in closed(spoil(OPEN))


@pytest.mark.parametrize("date", ["", "20990101", "20260230", "garbage"])
def test_a_study_date_that_says_nothing_stops_nothing(date: str) -> None:
    """None, one in the future, one that is no day: our own first-seen date counts alone."""
    assert closed(replace(OPEN, study_date=date)) == {}


def test_the_lines_that_cost_reading_are_asked_last() -> None:
    """They are not part of the cheap answer."""
    spoilt = FALSE["unchanged since archived"](FALSE["copies in place"](OPEN))
    assert closed(spoilt, dear=False) == {}
    assert len(closed(spoilt)) == 2


def test_from_hdfs_and_near_line_the_last_verified_copies_never_go() -> None:
    """Two others must have been read again: a receipt alone is not enough."""
    long = replace(OPEN, terms=replace(TERMS, days=30))
    read = CopyFact(Tier.TAPE, "verified", NOW - DAY)
    near = CopyFact(Tier.NEARLINE, "verified", NOW - DAY)
    assert closed(replace(long, tier=Tier.HDFS, copies=(near, read))) == {}
    assert "second copy re-read" in closed(replace(long, tier=Tier.HDFS, copies=(near, COPIES[2])))
    assert "second copy re-read" in closed(replace(long, tier=Tier.HDFS, copies=(near,)))
    assert closed(replace(long, tier=Tier.NEARLINE, copies=(COPIES[0], read))) == {}
    assert "nearest copy re-read lately" in closed(replace(long, tier=Tier.NEARLINE, copies=(read,)))


def test_policies_by_modality() -> None:
    """Of several modalities the longest days and all copies; one without a policy is as the rest of the settings."""
    settings = Expire.model_validate(
        {"modalities": {"MG": {"san_days": 365, "copies": ["hdfs"]}, "CT": {"san_days": 30}, "XA": {"hdfs_days": 5}}}
    )
    assert terms(settings, Tier.SAN, ("CT",)).days == 30
    assert terms(settings, Tier.SAN, ("CT", "MG")).days == terms(settings, Tier.SAN, ("Mg",)).days == 365
    assert terms(settings, Tier.SAN, ("CT", "SR")).days == terms(settings, Tier.SAN, ()).days == 90
    assert terms(settings, Tier.SAN, ("MG",)).copies == {Tier.HDFS}
    assert terms(settings, Tier.SAN, ("MG", "CT")).copies == {Tier.HDFS, Tier.NEARLINE, Tier.TAPE}
    assert (terms(settings, Tier.HDFS, ("XA",)).days, terms(settings, Tier.HDFS, ("XA", "CT")).days) == (5, None)
    assert [least_days(settings, tier) for tier in (Tier.SAN, Tier.HDFS, Tier.NEARLINE)] == [30, 5, None]


@pytest.mark.parametrize(
    "own",
    [{"modalities": {"mg": {"san_days": 3650}}}, {"san_days": 1e6}, {"drill_days": float("inf")}, {"grace_days": -1}],
)
def test_settings_that_would_do_other_than_they_say_are_refused(own: dict[str, Any]) -> None:
    """A policy for a modality that no image has, days beyond the calendar, or before tonight."""
    with pytest.raises(ValidationError):
        Expire.model_validate(own)


H = 3600.0


@pytest.mark.parametrize(
    ("last", "this", "believed"),
    [
        ((0, "a", 0), (24 * H, "a", 24 * H), True),
        ((0, "a", 0), (24.9 * H, "a", 24 * H), True),
        ((0, "a", 0), (25.1 * H, "a", 24 * H), False),
        ((0, "a", 0), (22.9 * H, "a", 24 * H), False),
        ((0, "a", 0), (90 * 24 * H, "a", 24 * H), False),
        ((0, "a", 0), (24 * H, "b", 60), True),
        ((0, "a", 0), (80 * H, "b", 60), False),
        ((0, "a", 0), (-2 * H, "b", 60), False),
        ((0, "", 0), (24 * H, "", 24 * H), True),
    ],
)
def test_a_clock_that_stepped(last: tuple[float, str, float], this: tuple[float, str, float], believed: bool) -> None:
    """By more than an hour against the clock that nobody sets; over a reboot, back, or three days ahead without a run."""
    assert (stepped(Tick(*last), Tick(*this)) is None) is believed
