"""How an image is cut into levels and code-blocks, so that OpenJPEG can terminate each coding pass.

OpenJPEG gives each code-block a buffer of 4 bytes per coefficient and 74 more, and writes beyond it without looking where
that is too little: with every pass terminated, a block of one coefficient and 25 bit-planes takes 135. Blocks are aligned to
their own size, so small ones are left over at the ends of bands. Other shapes of blocks, fewer levels or fewer planes avoid
them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

from sdfo.jpeg2000.wavelet import quarters

LEVELS = 5
"""Wavelet decompositions, at most."""
MOST_PLANES = 25
"""Bit-planes that OpenJPEG codes in 32-bit integers; with one more, it and FFmpeg decode wrong pixels without an error."""
FEWEST_PLANES = 18
"""With fewer, hardly any background would wait behind the region."""
SHAPES = ((64, 64), (128, 32), (32, 128), (256, 16), (16, 256), (512, 8), (8, 512), (1024, 4), (4, 1024))
"""Columns and rows of code-blocks, the best first (at most 4096 coefficients: ISO 15444-1 table A.18)."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """`levels` of the wavelet, code-blocks of `columns` and `rows`, and the most bit-planes that each is safe with."""

    levels: int
    columns: int
    rows: int
    planes: int


@lru_cache(maxsize=256)
def choose(size: tuple[int, int]) -> Blocks | None:
    """The most levels at which `MOST_PLANES` are safe, or else what is safe with most; None where nothing is."""
    best = None
    for levels in range(LEVELS, -1, -1):
        for columns, rows in SHAPES:
            planes = _safe_planes(_smallest(size, levels, columns, rows))
            if best is None or planes > best.planes:
                best = Blocks(levels, columns, rows, planes)
        if best is not None and best.planes == MOST_PLANES:
            return best
    return best if best is not None and best.planes >= FEWEST_PLANES else None


def plain_levels(size: tuple[int, int]) -> int:
    """Levels of an image that is coded without layers: no band is empty."""
    return min(LEVELS, min(size).bit_length() - 1)


def _safe_planes(count: int) -> int:
    """The most bit-planes with which a block of `count` coefficients stays within its buffer: noise takes a bit for each
    plane and one for the sign, less than a tenth more by the coder, and two bytes at the end of each of three passes."""
    for planes in range(MOST_PLANES, 0, -1):
        if 1.1 * count * (planes + 1) / 8 + 2 * (3 * planes - 2) <= 4 * count + 74:
            return planes
    return 0


def _smallest(size: tuple[int, int], levels: int, columns: int, rows: int) -> int:
    """Coefficients of the smallest code-block of all bands."""
    return min(_left_over(high, rows) * _left_over(wide, columns) for high, wide in _bands(size, levels))


def _bands(size: tuple[int, int], levels: int) -> Iterator[tuple[int, int]]:
    """Rows and columns of each band that is not empty (ISO 15444-1 clause B.5)."""
    low = size
    for rows, columns in quarters(size, levels):
        low = (rows + 1) // 2, (columns + 1) // 2
        halves = product((low[0], rows // 2), (low[1], columns // 2))
        yield from (band for band in list(halves)[1:] if 0 not in band)
    yield low


def _left_over(side: int, block: int) -> int:
    return side % block or block if side > block else side
