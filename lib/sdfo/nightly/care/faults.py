"""Which copies on HDFS and near-line are not whole: all bytes of a study's read, or of all parts what the listings show."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from sdfo.catalog import CopyRow, PartRow
from sdfo.errors import FormatError, Missing, OutOfRange
from sdfo.model import Tier
from sdfo.nightly.engines import Progress
from sdfo.nightly.place import Place
from sdfo.reader import SITE
from sdfo.sdicom import Part
from sdfo.stores import Store

GONE = "it went from there, and the one on near-line is not whole any more"
"""What is wrong with a copy on HDFS that was freed: near-line's is only ever made from it, so it has to come back."""
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Held:
    """A part with its copies on HDFS and near-line, each with what is wrong with it (None: nothing), and on tape.

    `freed`: its copy on HDFS, where it went from there; it is `hdfs` too, and has a fault, once it has to come back.
    """

    part: PartRow
    hdfs: CopyRow | None
    near: CopyRow | None
    tape: CopyRow | None
    hdfs_fault: str | None = None
    near_fault: str | None = None
    freed: CopyRow | None = None


def found(place: Place, uid: str | None, progress: Progress) -> Iterator[Held]:
    total, held = _lost(place) if uid is None else _read(place, uid)
    for number, each in enumerate(map(_returning, held), 1):
        yield each
        progress(number, total, "parts")


def _read(place: Place, uid: str) -> tuple[int, Iterator[Held]]:
    """How many parts the studies have that a UID is of; and each, all its copies read entirely."""
    parts = [part for study in place.archived(uid) for part in place.catalog.parts(study)]
    return len(parts), (_judged(place, part) for part in parts)


def _judged(place: Place, part: PartRow) -> Held:
    held = _with_copies(place, part)
    hdfs, near = (
        None if copy is None else fault(store, copy, partial(still_there, place, copy.tier))
        for store, copy in ((place.store, held.hdfs), (place.nearline, held.near))
    )
    return replace(held, hdfs_fault=hdfs, near_fault=near)


def still_there(place: Place, tier: Tier) -> None:
    """A store that is not there misses every file; `WrongStore`, or `Missing`, where it went away."""
    if tier is Tier.NEARLINE:
        place.mounted_nearline()
    elif tier is Tier.TAPE:
        place.mounted_tape()
    else:
        place.store.stat(SITE)


def fault(store: Store, copy: CopyRow, is_there: Callable[[], None], threads: int = 1) -> str | None:
    """What is wrong with a copy, every byte of it read, and of the files beside it. `is_there` raises where the store is away."""
    try:
        with Part.open(store, copy.path) as part:
            if part.check_digest != copy.check:
                return "another file lies at its name"
            absent = part.check(deep=True, threads=threads).absent
            if absent:
                is_there()
            return f"a file that belongs beside it is missing: {absent[0]}" if absent else None
    except Missing:
        is_there()
        return "missing"
    except (FormatError, OutOfRange) as error:
        return f"damaged: {error.what}"


def _lost(place: Place) -> tuple[int, Iterator[Held]]:
    """How many parts, and which, have a copy that is known to be damaged, or is not among what the stores list. No file is
    read for it."""
    stores = {Tier.HDFS: place.store, Tier.NEARLINE: place.nearline}
    listed = {tier: {stat.path: stat.size for stat in store.list("exams")} for tier, store in stores.items()}
    for tier in stores:
        still_there(place, tier)
    known = dict[int, Held]()
    for tier in stores:
        for part, copy in _all(place, tier):
            why = _glance(place, listed[tier], part, copy)
            if why is not None:
                held = known.get(part.id) or _with_copies(place, part)
                known[part.id] = replace(held, hdfs_fault=why) if tier is Tier.HDFS else replace(held, near_fault=why)
    return len(known), iter(known.values())


def _all(place: Place, tier: Tier) -> Iterator[tuple[PartRow, CopyRow]]:
    after = 0
    while rows := place.catalog.page_of_copies(tier, after, _PAGE):
        yield from (row for row in rows if row[1].state != "retired")
        after = rows[-1][0].id


def _with_copies(place: Place, part: PartRow) -> Held:
    every = {copy.tier: copy for copy in place.catalog.copies(part.id)}
    copies = {tier: copy for tier, copy in every.items() if copy.state != "retired"}
    freed = every.get(Tier.HDFS) if Tier.HDFS not in copies else None
    return Held(part, copies.get(Tier.HDFS), copies.get(Tier.NEARLINE), copies.get(Tier.TAPE), freed=freed)


def _returning(held: Held) -> Held:
    if held.freed is None or held.near_fault is None:
        return held
    return replace(held, hdfs=held.freed, hdfs_fault=GONE)


def _glance(place: Place, listed: dict[str, int], part: PartRow, copy: CopyRow) -> str | None:
    if copy.path not in listed:
        return "missing"
    if copy.state == "damaged":
        return "known to be damaged"
    if listed[copy.path] != copy.size:
        return "damaged: another length"
    beside = place.catalog.aparts(part.id)
    absent = next((path for path in beside if path not in listed), None)
    return None if absent is None else f"a file that belongs beside it is missing: {absent.rpartition('/')[2]}"
