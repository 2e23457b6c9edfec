"""What a run that frees a tier counts, whichever tier it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TypedDict

from sdfo.nightly.freeing import gate


class Told(TypedDict):
    """The fields of a report that a tally fills."""

    stopped: dict[str, int]
    alone: dict[str, int]
    kept: dict[str, int]
    failed: dict[str, int]


_ORDER = {line.name: number for number, line in enumerate(gate.LINES)}


@dataclass(slots=True)
class Tally:
    """By line of the gate: what it stops, what it stops `alone`, what it keeps though its days of grace are over. By reason:
    what failed."""

    stopped: Counter[str] = field(default_factory=Counter)
    alone: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)

    def stops(self, lines: Collection[str], many: int = 1) -> bool:
        """Count so many that these lines stop; whether any does."""
        for line in lines:
            self.stopped[line] += many
            self.alone[line] += many if len(lines) == 1 else 0
        return bool(lines)

    def told(self) -> Told:
        """In the order of the gate's lines; what failed most first."""
        return Told(
            stopped=_in_order(self.stopped),
            alone=_in_order(self.alone),
            kept=_in_order(self.kept),
            failed=dict(self.failed.most_common()),
        )


def _in_order(counts: Counter[str]) -> dict[str, int]:
    rows = sorted(counts.items(), key=lambda row: _ORDER.get(row[0], len(_ORDER)))
    return {name: count for name, count in rows if count}
