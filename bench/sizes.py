"""How much work a row is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
    """Numbers of slices, but for `spark_exams`."""

    rounds: int = 7
    exam: int = 200
    spark_exams: int = 16
    spark_slices: int = 200
    one_image: tuple[int, int] = (100, 2000)
    first_image: tuple[int, ...] = (100, 2000, 10000)
    memory: tuple[int, int, int] = (100, 2000, 10000)


QUICK = Sizes(1, 6, 2, 3, (3, 6), (3, 6, 9), (2, 4, 6))
"""Enough to see each row run; its numbers say nothing."""
