"""Recall: volumes are asked back from the tape system, and who asked waits for them. Duplicates are one.

Each volume is asked for once, whoever wants what from it; what came back is proven before it is read (receiving.py).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from math import inf

from sdfo.catalog import RecallRow
from sdfo.catalog.recalls import WAITING
from sdfo.errors import NotFound
from sdfo.model import Location, Tier
from sdfo.nightly.engines import Progress, silent
from sdfo.nightly.place import Place
from sdfo.nightly.tape.receiving import attend
from sdfo.tiers.tape import exchange
from sdfo.tiers.tape.exchange import Request
from sdfo.tiers.tape.reading import whereabouts

EVERY_SECONDS = 2.0
"""Between two looks at what came back, while somebody waits."""


def recall(place: Place, uid: str) -> RecallRow:
    """Ask for all that is on tape of a study, series or instance. `NotFound` if nothing is."""
    volumes = volumes_of([place.catalog.locate(uid)])
    if not volumes:
        raise NotFound(f"nothing of UID {uid} is on tape", next_command=f"sdfo locate {uid}")
    return ask(place, uid, volumes)


def ask(place: Place, uid: str, volumes: Sequence[str]) -> RecallRow:
    """Ask for these volumes. What is here already is pinned, and the recall done at once."""
    store, rows = place.tape, [place.catalog.volume(volume) for volume in volumes]
    row = place.catalog.ask_recall(uid, volumes, sum(each.size for each in rows))
    for each in rows:
        if whereabouts(store, each.name) is None:
            at = datetime.now(UTC).isoformat(timespec="seconds")
            exchange.ask(store, Request(each.name, each.barcode, each.position, each.size, each.sha256, at))
    attend(place)
    return place.catalog.recall(row.id)


def volumes_of(files: Iterable[Sequence[Location]], *, alone: bool = False) -> list[str]:
    """The volumes that hold copies of these files; `alone`: of those that have no other copy."""
    found = set[str]()
    for copies in files:
        tapes = [copy.path or "" for copy in copies if copy.tier is Tier.TAPE]
        if not alone or len(tapes) == len(copies):
            found |= {path.partition("/")[0] for path in tapes}
    return sorted(found - {""})


def away(place: Place, volumes: Iterable[str]) -> list[str]:
    """Those that are not here."""
    return [volume for volume in volumes if whereabouts(place.tape, volume) is None]


def wait(
    place: Place, number: int, progress: Progress = silent, every: float = EVERY_SECONDS, most: float = inf
) -> RecallRow:
    """Until a recall has ended, one way or the other, or `most` seconds long. `WrongStore` if the staging area goes away."""
    end = time.monotonic() + most
    while True:
        place.mounted_tape()
        attend(place)
        row = place.catalog.recall(number)
        here = len(row.volumes) - len(away(place, row.volumes))
        progress(here, len(row.volumes), "volumes came back")
        if row.state != WAITING or time.monotonic() >= end:
            return row
        time.sleep(every)
