"""The reversible transformations (ISO 15444-1 annexes F and G), and which coefficients a pixel depends on.

The coefficients of an image lie in one array of its size, as Mallat drew it: at each level the low half of rows and columns
comes first, and the next level splits the quarter where both are low. Bands may be empty.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sdfo.jpeg2000.image import Mask, Planes

Samples = NDArray[Any]

LEVELS = 5
"""Decompositions, at most."""


class Rectangle(NamedTuple):
    """Where a band lies among the coefficients."""

    row: int
    column: int
    rows: int
    columns: int


def levels_of(size: tuple[int, int]) -> int:
    """As many that no band is empty."""
    return min(LEVELS, min(size).bit_length() - 1)


@lru_cache(maxsize=64)
def resolutions(size: tuple[int, int], levels: int) -> tuple[tuple[Rectangle, ...], ...]:
    """The bands that each resolution adds, the coarsest first: LL, then HL, LH and HH (ISO 15444-1 clause B.5)."""
    found, low = [], size
    for rows, columns in quarters(size, levels):
        low = high, wide = (rows + 1) // 2, (columns + 1) // 2
        right, below = columns // 2, rows // 2
        found.append(
            (
                Rectangle(0, wide, high, right),
                Rectangle(high, 0, below, wide),
                Rectangle(high, wide, below, right),
            )
        )
    return (Rectangle(0, 0, *low),), *reversed(found)


def decorrelate(planes: Planes) -> Planes:
    """The reversible component transformation of red, green and blue around zero (ISO 15444-1 equation G-5)."""
    red, green, blue = planes
    return np.stack([(red + 2 * green + blue) >> 2, blue - green, red - green])


def forward(planes: Planes, levels: int) -> Planes:
    """The coefficients of each component; its last two axes are rows and columns."""
    coefficients = planes.copy()
    for rows, columns in quarters(planes.shape[-2:], levels):
        part = coefficients[..., :rows, :columns]
        half = np.empty_like(part)
        _analyse(_first(part), _first(half))
        _analyse(_last(half), _last(part))
    return coefficients


def inverse(coefficients: Planes, levels: int) -> Planes:
    """The image again."""
    planes = coefficients.copy()
    for rows, columns in reversed(list(quarters(planes.shape[-2:], levels))):
        part = planes[..., :rows, :columns]
        half = np.empty_like(part)
        _synthesise(_last(part), _last(half))
        _synthesise(_first(half), _first(part))
    return planes


def needed(region: Mask, levels: int) -> Mask:
    """The coefficients from which the pixels of `region` are computed: with these exact, any others leave it exact."""
    mask = region.copy()
    for rows, columns in quarters(region.shape, levels):
        part = mask[:rows, :columns]
        half = np.empty_like(part)
        _propagate(part, half)
        _propagate(half.T, part.T)
    return mask


def quarters(size: tuple[int, ...], levels: int) -> Iterator[tuple[int, int]]:
    """Rows and columns of what each level splits, from the whole image on."""
    rows, columns = size
    for _ in range(levels):
        yield rows, columns
        rows, columns = (rows + 1) // 2, (columns + 1) // 2


def _first(samples: Samples) -> Samples:
    """A view whose first axis runs along a column."""
    return np.moveaxis(samples, -2, 0)


def _last(samples: Samples) -> Samples:
    """A view whose first axis runs along a row."""
    return np.moveaxis(samples, -1, 0)


def _analyse(signal: Samples, split: Samples) -> None:
    """Equations F-9 and F-10 along the first axis; the symmetric extension (F.3.1) repeats the neighbour at either end."""
    count = len(signal)
    middle = (count + 1) // 2
    low, high = split[:middle], split[middle:]
    if count == 1:
        low[:] = signal
        return
    even, odd = signal[0::2], signal[1::2]
    inner = middle - 1
    np.add(even[:-1], even[1:], out=high[:inner])
    high[:inner] >>= 1
    high[inner:] = even[inner : len(high)]
    np.subtract(odd, high, out=high)
    _smooth(high, low)
    low += even


def _synthesise(split: Samples, signal: Samples) -> None:
    """Equations F-5 and F-6 along the first axis."""
    count = len(signal)
    middle = (count + 1) // 2
    low, high = split[:middle], split[middle:]
    if count == 1:
        signal[:] = low
        return
    even = np.empty_like(low)
    _smooth(high, even)
    np.subtract(low, even, out=even)
    odd = np.empty_like(high)
    inner = middle - 1
    np.add(even[:-1], even[1:], out=odd[:inner])
    odd[:inner] >>= 1
    odd[inner:] = even[inner : len(high)]
    odd += high
    signal[0::2], signal[1::2] = even, odd


def _smooth(high: Samples, low: Samples) -> None:
    """A quarter of the two neighbours in `high` of each low sample, rounded."""
    count = len(high)
    np.add(high[:-1], high[1:], out=low[1:count])
    low[0] = high[0]
    low[0] += high[0]
    if len(low) > count:
        low[count] = high[-1]
        low[count] += high[-1]
    low += 2
    low >>= 2


def _propagate(mask: Mask, split: Mask) -> None:
    """An odd sample needs its high and two even ones; an even sample its low and two high ones. Along the first axis."""
    middle = (len(mask) + 1) // 2
    low, high = split[:middle], split[middle:]
    even, odd = mask[0::2], mask[1::2]
    low[:] = even
    high[:] = odd
    if not len(odd):
        return
    low[: len(odd)] |= odd
    low[1:] |= odd[: middle - 1]
    high |= low[: len(odd)]
    high[: middle - 1] |= low[1:]
