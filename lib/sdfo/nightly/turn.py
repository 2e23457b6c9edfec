"""A step's turn at the archive: the run's next token of a lease, renewed while the step works, and its place in the log.

A step that was cleared while its process lives on (a zombie) holds an old token: it meets `Fenced` at the next check,
which every step makes before it renames, and inside each catalog transaction.

A step that cannot go on for a cause outside of it is postponed: another run is at work, or the store takes no change, or
does not answer at all. It may have done a part of its work by then; whoever repeats it later need know nothing of that.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import Any

from sdfo.catalog import Lease
from sdfo.catalog.runs import BESIDE, REPORT
from sdfo.errors import EngineError, Fenced, NoEngine, Postponed, SdfoError, Unavailable, UsageError
from sdfo.nightly.place import Place
from sdfo.reader import SITE

ARCHIVE = "archive"
"""The lease of the night's steps; backup, stage and restore have their own, and may be at work beside them."""
LAST_STEPS = (REPORT, *BESIDE)
"""Steps after which a run does no other: their lease is given back when they fail."""
RENEW_SECONDS, TTL_SECONDS = 30, 300
POSTPONED = "postponed"


class Turn:
    """`report` becomes the step's entry in the catalog when the turn ends well."""

    def __init__(self, place: Place, lease: Lease) -> None:
        self._place, self.lease = place, lease
        self.report: Any = None
        self._over = threading.Event()

    def check(self) -> None:
        """`Fenced` if a later step has taken over."""
        self._place.catalog.check(self.lease)

    def _renew(self) -> None:
        while not self._over.wait(RENEW_SECONDS):
            try:
                self._place.catalog.renew(self.lease)
            except Fenced:
                return  # the step's own next check says so, where it can stop cleanly
            except SdfoError:
                continue  # a catalog that is away for a moment; the lease outlives several renewals

    def _note(self, step: str, error: BaseException) -> None:
        """What ended the step. A fenced one says nothing: the log is its successor's. Nor does one whose catalog failed.

        One that is postponed gives back the lease, for who knows when it goes on; and so does a run's last one.
        """
        what = str(error) if isinstance(error, SdfoError) else type(error).__name__
        state, why = (POSTPONED, error.what) if isinstance(error, Postponed) else ("failed", what)
        with suppress(SdfoError):
            self.check()
            self._place.catalog.note_step(self._place.run, step, state, {"error": why})
            if state == POSTPONED or (step in LAST_STEPS and isinstance(error, Exception)):
                self._place.catalog.release(self.lease)


def _require(place: Place, step: str) -> None:
    """`UsageError` unless `step` of this run ended well: the next one must not build on half of it.

    Nor on what another run has looked at since: it may have archived newer bytes of the same exams.
    """
    row = place.catalog.steps(place.run).get(step)
    if row is None or row.state != "done":
        found = "not run" if row is None else row.state
        raise UsageError(
            f"step {step} of this run is not done", found=found, next_command=f"sdfo {step} --run {place.run}"
        )
    if place.last_scan != place.run:
        raise UsageError("another run has scanned the SAN since", next_command=f"sdfo scan --run {place.run}")


def _cause(place: Place, error: BaseException) -> BaseException:
    """What to tell of an error: where the store does not answer even a simple question, that it is away.

    An engine, too, does not start or dies where the store takes no change.
    """
    if not isinstance(error, (Unavailable, EngineError, NoEngine)):
        return error
    try:
        if isinstance(error, Unavailable):
            place.store.stat(SITE)
        else:
            place.change_store()
    except Postponed as why:
        return why
    except Unavailable:
        return Postponed(f"the store does not answer: {error.what}", next_command="sdfo doctor, and again later")
    except SdfoError:
        pass
    return error


def _begun(place: Place, step: str, after: str | None, lease: str) -> Turn:
    try:
        if after is not None:
            _require(place, after)
        return Turn(place, place.catalog.take_lease(lease, place.run, place.holder, TTL_SECONDS))
    except (Postponed, Unavailable) as error:
        told = _cause(place, error)
        if isinstance(told, Postponed):
            _note_unbegun(place, step, told)
        if told is error:
            raise
        raise told from error


def _note_unbegun(place: Place, step: str, why: Postponed) -> None:
    """A step that was done before stays so: nothing of it was touched."""
    with suppress(SdfoError):
        row = place.catalog.steps(place.run).get(step)
        if row is None or row.state != "done":
            place.catalog.note_step(place.run, step, POSTPONED, {"error": why.what})


@contextmanager
def turn(place: Place, step: str, after: str | None = None, lease: str = ARCHIVE) -> Iterator[Turn]:
    """Run one step of a run, which needs `after` to be done, under `lease`.

    `UsageError` if it is not. `Postponed` if another run is at work (`LeaseHeld`), or the store takes no change or is away:
    the step then stands as postponed, with the cause, and no lease is held.
    """
    ours = _begun(place, step, after, lease)
    began = time.monotonic()
    place.catalog.note_step(place.run, step, "started", {})
    renewing = threading.Thread(target=ours._renew, name="lease", daemon=True)
    renewing.start()
    try:
        yield ours
        ours.check()
        took = round(time.monotonic() - began, 3)
        place.catalog.note_step(place.run, step, "done", asdict(ours.report) | {"seconds": took})
    except BaseException as error:
        told = _cause(place, error)
        ours._note(step, told)
        if told is error:
            raise
        raise told from error
    finally:
        ours._over.set()
        renewing.join()
