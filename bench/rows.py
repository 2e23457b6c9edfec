"""A row of the table: what was measured, in rounds, and the goal that it is held against."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound on the ratio of a row, or on `ours` where the row has no ratio."""

    sense: Literal["≥", "≤"]
    value: float

    def met(self, found: float) -> bool:
        return found >= self.value if self.sense == "≥" else found <= self.value


@dataclass(frozen=True, slots=True)
class Row:
    """One value a round in each column. `ratios` says which side is divided by which: the name tells, by its goal."""

    name: str
    unit: str
    ours: Sequence[float]
    reference: Sequence[float] = ()
    ratios: Sequence[float] = ()
    goal: Goal | None = None

    @property
    def judged(self) -> Sequence[float]:
        """What the goal is about."""
        return self.ratios or self.ours

    @property
    def met(self) -> bool | None:
        return None if self.goal is None else self.goal.met(median(self.judged))


Timed = Callable[[], float]
"""Does the work once; the seconds that the part in question took."""


def interleaved(rounds: int, *sides: Timed, warm: bool = False) -> list[list[float]]:
    """The seconds of each side, `rounds` of them, taken in turns: A B A B …

    One turn of each goes before, not counted, unless both did the work already (`warm`).
    """
    before = 0 if warm else 1
    taken = [[side() for side in sides] for _ in range(before + rounds)]
    return [list(column) for column in zip(*taken[before:], strict=True)]


def divided(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """Round by round: what disturbed one round disturbed both sides of it."""
    return [a / b for a, b in zip(above, below, strict=True)]


def speed(name: str, ours: Sequence[float], reference: Sequence[float], goal: Goal | None = None) -> Row:
    """Our speed as a share of the reference's: 1 is as fast, 0.5 takes twice as long."""
    return Row(name, "s", ours, reference, divided(reference, ours), goal)


def cost(name: str, unit: str, ours: Sequence[float], reference: Sequence[float], goal: Goal | None = None) -> Row:
    """Our cost as a multiple of the reference's."""
    return Row(name, unit, ours, reference, divided(ours, reference), goal)
