"""What a person must do after a night, each with the command to type."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from sdfo.catalog.quarantine import CONFLICT
from sdfo.nightly.ledger import Ledger
from sdfo.nightly.place import Place, is_slice
from sdfo.nightly.summary import Steps, Todo, undone, waits_for


def of_run(place: Place, steps: Steps, whole: Ledger, unsettled: int) -> Iterator[Todo]:
    """Steps that failed, files in no line of the ledger, folders that never settle, quarantine entries, backups that
    are late, a store that fills up."""
    first, cause = undone(steps), waits_for(steps)
    if first is not None and cause is not None:
        yield Todo(f"step {first} was postponed: {cause}", f"sdfo {first} --run {place.run}")
    elif first is not None:
        why = steps.get(first, {}).get("report", {}).get("error", "it did not finish")
        command = "sdfo backfill" if is_slice(place.run) and first == "scan" else f"sdfo {first} --run {place.run}"
        yield Todo(f"step {first} is not done: {why}", command)
    elif not whole.balanced:
        yield Todo(f"{whole.missing} files stand in no line of the ledger", f"sdfo night --run {place.run}")
    if unsettled:
        what = f"{unsettled} exam folders do not settle: see on the page which, and what keeps writing into them"
        yield Todo(what, f"sdfo report --run {place.run}")
    open_ones = place.catalog.quarantine()
    for what, count in sorted(
        Counter(CONFLICT if row.reason == CONFLICT else str(row.kind) for row in open_ones).items()
    ):
        yield Todo(f"{count} open quarantine entries ({what})", "sdfo quarantine")
    queue, most = place.catalog.queue(), place.settings.limits.backup_age_hours
    if queue.oldest is not None and datetime.now(UTC) - queue.oldest > timedelta(hours=most):
        what = f"{queue.parts} parts wait for their near-line copy, the oldest for more than {most:g} hours"
        yield Todo(what, f"sdfo backup --run {place.run} --any-time")
    free, total = place.store.free()
    if free < place.settings.limits.free * total:
        yield Todo(f"the HDFS store has {free / total:.0%} free", "sdfo status")
