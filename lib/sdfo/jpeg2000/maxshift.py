"""Maxshift (ISO 15444-1 annex H): the region's coefficients are lifted above all others, so that their bits come first.

A decoder tells them by their size alone: whatever reaches 2^s was lifted by s, and goes down again. So more may be lifted
than the region needs, and is where that costs less than to keep it apart: large coefficients of the background, as long as
they are few, and all of a code-block that is mostly region.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sdfo.jpeg2000.image import Mask, Planes
from sdfo.jpeg2000.openjpeg import BLOCK
from sdfo.jpeg2000.wavelet import Rectangle, resolutions

MOST_PLANES = 25
"""Bit-planes that OpenJPEG codes in 32-bit integers; with one more, it and FFmpeg decode wrong pixels without an error."""
FEW = 0.02
"""Of the coefficients that the region needs, as many of the background may be lifted with them: that saves bit-planes."""
MOSTLY = 0.55
"""Share of a code-block that the region needs, from which on all of it is lifted."""

Choice = NDArray[np.bool_]
"""For each code-block of a band, in its rows and columns."""


@dataclass(frozen=True, slots=True, eq=False)
class Lifted:
    """`region` bit-planes lie above `shift` planes of the background.

    `ahead` are the code-blocks of which everything is lifted, by resolution, component and band. Their coefficients stand
    in `coefficients` as they were, for all their lower bits would be zeros: it is enough to say how high their first
    bit-plane lies. A decoder is done with a lifted coefficient after as many planes as it would have without (H.1).
    """

    coefficients: Planes
    region: int
    shift: int
    ahead: tuple[tuple[Choice, ...], ...]

    @property
    def planes(self) -> int:
        return self.region + self.shift


def lift(coefficients: Planes, needed: Mask, levels: int) -> Lifted | None:
    """Lift what is `needed`; None if nothing would be left behind.

    The largest coefficient in use counts, not the bits of a sample: the more planes are declared, the sooner 32 bits are
    too few. OpenJPEG compares with half a bit more than it decoded, so what is not lifted stays below 2^(s-1).
    """
    sizes = np.abs(coefficients)
    behind = np.where(needed, 0, sizes)
    region, waiting = int(sizes.max()).bit_length(), int(behind.max()).bit_length()
    shift = min(waiting + 1, MOST_PLANES - region)
    if waiting == 0 or shift < 2:
        return None
    room = FEW * float(np.count_nonzero(needed)) * len(coefficients)
    while shift > 2 and np.count_nonzero(behind >= 1 << shift - 2) <= room:
        shift -= 1
    left = (behind != 0) & (behind < 1 << shift - 1)
    rise = ~left
    ahead = _ahead(left, rise, needed, levels)
    return Lifted(np.where(rise, coefficients << shift, coefficients), region, shift, ahead)


def _ahead(left: Mask, rise: Mask, needed: Mask, levels: int) -> tuple[tuple[Choice, ...], ...]:
    """The code-blocks that are lifted whole. What is in them need not `rise`."""
    found = []
    for bands in resolutions(needed.shape, levels):
        mostly = [_by_block(needed, band) >= MOSTLY * _sizes(band) for band in bands]
        for plane, rising in zip(left, rise, strict=True):
            whole = tuple(most | (_by_block(plane, band) == 0) for most, band in zip(mostly, bands, strict=True))
            for choice, band in zip(whole, bands, strict=True):
                _lower(rising, band, choice)
            found.append(whole)
    return tuple(found)


def _by_block(mask: Mask, band: Rectangle) -> NDArray[np.uint16]:
    """How many are true in each code-block of a band."""
    part = _of(mask, band)
    if not part.size:
        return np.zeros((0, 0), np.uint16)
    down = np.add.reduceat(part, np.arange(0, band.rows, BLOCK), axis=0, dtype=np.uint8)
    return np.add.reduceat(down, np.arange(0, band.columns, BLOCK), axis=1, dtype=np.uint16)


@lru_cache(maxsize=64)
def _sizes(band: Rectangle) -> NDArray[np.uint16]:
    """How many coefficients each code-block of a band has."""
    return _by_block(np.ones((band.row + band.rows, band.column + band.columns), np.bool_), band)


def _lower(rising: Mask, band: Rectangle, choice: Choice) -> None:
    part = _of(rising, band)
    for row, column in np.argwhere(choice):
        part[row * BLOCK : (row + 1) * BLOCK, column * BLOCK : (column + 1) * BLOCK] = False


def _of(mask: Mask, band: Rectangle) -> Mask:
    return mask[band.row : band.row + band.rows, band.column : band.column + band.columns]
