"""The gate is opened again: after a rebuild of the catalog, or once a clock that was set is right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sdfo.catalog import Hold
from sdfo.catalog.freeing import SHUT
from sdfo.nightly.freeing.clock import Clock, believe
from sdfo.nightly.place import Place


@dataclass(frozen=True, slots=True)
class Reopened:
    """`before`: the holds that the catalog had when it was emptied; None if it was not rebuilt. `after`: those in force now."""

    before: tuple[dict[str, Any], ...] | None
    after: tuple[Hold, ...]


def reopen(place: Place, clock: Clock) -> Reopened:
    """Open the gate, and believe what the clock says now."""
    shut = place.catalog.gate_marks().get(SHUT)
    before = None if shut is None else tuple(shut[1]["holds"])
    found = Reopened(before, tuple(place.catalog.holds()))
    believe(place, clock)
    place.catalog.mark_gate(SHUT, None)
    return found
