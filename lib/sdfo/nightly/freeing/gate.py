"""The gate before a copy is removed: every line true, or it stays. Nothing is looked up here; `LINES` is all there is to it.

Copies in `Facts` are those that would stay. The last two lines cost reading, and are asked only where all others are true.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sdfo.catalog.freeing import APART
from sdfo.conf import Expire
from sdfo.model import Tier, valid_date

TONIGHT = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Terms:
    """What the settings ask for before a copy of this exam is removed from a tier. `days` None: it stays for ever."""

    days: float | None
    copies: frozenset[Tier]
    away: frozenset[Tier]
    verify_days: float
    drill_days: float


@dataclass(frozen=True, slots=True)
class Night:
    """What is the same for all exams. The texts say what is wrong; None: nothing."""

    now: datetime
    catalog_backup: datetime | None = None
    drill: datetime | None = None
    drill_green: bool = False
    replication: str | None = None
    clock: str | None = None
    shut: datetime | None = None


@dataclass(frozen=True, slots=True)
class CopyFact:
    """A copy that would stay, as the catalog has it. `fault`: what is wrong with it, as it was looked at just now."""

    tier: Tier
    state: str
    verified_at: datetime | None
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """Of what is to be removed from `tier`. `published`: a part of the catalog holds these very bytes. `entries`: open ones of
    the quarantine. `changed`: how what is to go, read just now, differs from what was archived."""

    tier: Tier
    night: Night
    terms: Terms
    first_seen: datetime | None
    study_date: str
    published: bool
    copies: tuple[CopyFact, ...]
    holds: tuple[int, ...] = ()
    entries: int = 0
    changed: str | None = None


class Line(NamedTuple):
    """`why_not` gives None where the line is true. `dear`: it is asked last."""

    name: str
    why_not: Callable[[Facts], str | None]
    dear: bool = False


def _within(now: datetime, done: datetime | None, most: timedelta) -> bool:
    """Whether it was done, and no longer ago. A moment that is still to come was told by a clock that was ahead."""
    return done is not None and -APART <= now - done <= most


def _age(facts: Facts) -> str | None:
    days = facts.terms.days
    if days is None:
        return "it stays for ever"
    if facts.first_seen is None:
        return "nobody knows when it was first seen"
    return None if facts.night.now - facts.first_seen > timedelta(days=days) else "it is too young"


def _study_date(facts: Facts) -> str | None:
    """A date in the future says nothing, nor does one that is none."""
    date, days = valid_date(facts.study_date), facts.terms.days
    if date is None or days is None or date > f"{facts.night.now:%Y%m%d}":
        return None
    return None if date < f"{facts.night.now - timedelta(days=days):%Y%m%d}" else "the study is too young"


def _published(facts: Facts) -> str | None:
    return None if facts.published else "no published part holds it"


def _nearest(facts: Facts) -> str | None:
    """Of the copies that stay: it serves readers, and the others are made again from it."""
    order = list(Tier)
    nearest = min(facts.copies, key=lambda copy: order.index(copy.tier), default=None)
    if nearest is None or (facts.tier is not Tier.HDFS and nearest.tier is not Tier.HDFS):
        return "there is no copy on HDFS"
    return None if _recent(facts, nearest) else f"its copy on {nearest.tier} was not read again lately"


def _recent(facts: Facts, copy: CopyFact) -> bool:
    most = timedelta(days=facts.terms.verify_days)
    return copy.state == "verified" and _within(facts.night.now, copy.verified_at, most)


def _second(facts: Facts) -> str | None:
    whole = [copy for copy in facts.copies if copy.state == "verified" and copy.verified_at is not None]
    return None if len({copy.tier for copy in whole}) >= 2 else "no second copy was read again"


def _wanted(facts: Facts) -> str | None:
    there = {copy.tier for copy in facts.copies if _counts(copy)}
    missing = facts.terms.copies - there - {facts.tier}
    return f"no copy on {', '.join(sorted(missing))}" if missing else None


def _away(facts: Facts) -> str | None:
    away = facts.terms.away
    if not away or any(copy.tier in away and _counts(copy) for copy in facts.copies):
        return None
    return "no copy is off-line or off-site"


def _counts(copy: CopyFact) -> bool:
    """A receipt makes a tape's copy `written`; on other tiers only reading again counts."""
    return copy.state == "verified" or (copy.tier is Tier.TAPE and copy.state == "written")


def _replication(facts: Facts) -> str | None:
    return None if facts.tier is Tier.HDFS else facts.night.replication


def _quarantine(facts: Facts) -> str | None:
    return "something of the exam is set aside" if facts.entries else None


def _hold(facts: Facts) -> str | None:
    return f"hold {', '.join(map(str, facts.holds))}" if facts.holds else None


def _catalog_backup(facts: Facts) -> str | None:
    done = _within(facts.night.now, facts.night.catalog_backup, TONIGHT)
    return None if done else "the catalog was not backed up tonight"


def _drill(facts: Facts) -> str | None:
    if not _within(facts.night.now, facts.night.drill, timedelta(days=facts.terms.drill_days)):
        return f"no drill within {facts.terms.drill_days:g} days"
    return None if facts.night.drill_green else "the last drill failed"


def _clock(facts: Facts) -> str | None:
    return facts.night.clock


def _reopened(facts: Facts) -> str | None:
    return None if facts.night.shut is None else "the catalog was rebuilt: sdfo expire --reopen"


def _in_place(facts: Facts) -> str | None:
    return next((f"its copy on {copy.tier}: {copy.fault}" for copy in facts.copies if copy.fault), None)


def _unchanged(facts: Facts) -> str | None:
    return facts.changed


LINES = (
    Line("first seen long ago", _age),
    Line("study long ago", _study_date),
    Line("part published", _published),
    Line("nearest copy re-read lately", _nearest),
    Line("second copy re-read", _second),
    Line("copies wanted", _wanted),
    Line("a copy off-line or off-site", _away),
    Line("HDFS replication healthy", _replication),
    Line("nothing set aside", _quarantine),
    Line("no hold", _hold),
    Line("catalog backed up tonight", _catalog_backup),
    Line("last drill green", _drill),
    Line("clock to be believed", _clock),
    Line("open since the last rebuild", _reopened),
    Line("copies in place", _in_place, dear=True),
    Line("unchanged since archived", _unchanged, dear=True),
)


def closed(facts: Facts, *, dear: bool = True) -> dict[str, str]:
    """The lines that are not true, with why not: of all, or of those that cost nothing. Empty: the gate is open."""
    return dict(_closed(facts, dear))


def _closed(facts: Facts, dear: bool) -> Iterator[tuple[str, str]]:
    for line in LINES:
        why = line.why_not(facts) if dear or not line.dear else None
        if why is not None:
            yield line.name, why


def terms(settings: Expire, tier: Tier, modalities: tuple[str, ...]) -> Terms:
    """For an exam with images of these modalities: of several the longest days and all copies count."""
    field = f"{tier}_days"
    policies = [settings.modalities.get(modality.upper()) for modality in modalities] or [None]
    days = [getattr(settings, field) if p is None or getattr(p, field) is None else getattr(p, field) for p in policies]
    copies = [settings.copies if p is None or p.copies is None else p.copies for p in policies]
    return Terms(
        days=None if None in days else max(days),
        copies=frozenset(Tier(tier) for each in copies for tier in each),
        away=frozenset(map(Tier, settings.away)),
        verify_days=settings.verify_days,
        drill_days=settings.drill_days,
    )


def least_days(settings: Expire, tier: Tier) -> float | None:
    """What is younger stays, whatever its modality; None if all does."""
    field = f"{tier}_days"
    days = [getattr(each, field) for each in (settings, *settings.modalities.values())]
    return min((each for each in days if each is not None), default=None)
