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
    nights: tuple[tuple[int, int], ...] = ((1, 50), (2, 50), (30, 50), (200, 50), (2000, 3))
    """Images of an exam, and exams a night."""
    images: int = 400
    """Read one by one from HDFS in a round."""
    clients: tuple[int, ...] = (1, 2, 4)
    catalog_exams: int = 1_000_000
    catalog_images: int = 10
    """Of each part; every fourth exam has two."""
    queries: int = 20
    """Of each kind, in a round."""
    night_exams: int = 2000
    night_images: int = 50


QUICK = Sizes(1, 6, 2, 3, (3, 6), (3, 6, 9), (2, 4, 6), ((1, 2), (3, 2)), 6, (1, 2), 60, 2, 3, 4, 3)
"""Enough to see each row run; its numbers say nothing."""
