"""Maxshift (ISO 15444-1 annex H): the region's coefficients are lifted above all others, so that their bits come first.

A decoder tells them by their size alone: whatever reaches 2^s was lifted by s, and goes down again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sdfo.jpeg2000.image import Mask, Planes


@dataclass(frozen=True, slots=True, eq=False)
class Shifted:
    """`region` bit-planes lie above `shift` planes of the background."""

    coefficients: Planes
    region: int
    shift: int

    @property
    def planes(self) -> int:
        return self.region + self.shift


def lift(coefficients: Planes, needed: Mask, most: int) -> Shifted | None:
    """Lift what is `needed`, using no more than `most` bit-planes; None if nothing would be left behind.

    The largest coefficient in use counts, not the bits of a sample: the more planes are declared, the sooner 32 bits are
    too few. OpenJPEG compares with half a bit more than it decoded, so the background stays below 2^(s-1). Where that
    would take too many planes, larger coefficients of the background are lifted too: they are only better protected.
    """
    sizes = np.abs(coefficients)
    behind = np.where(needed, 0, sizes)
    region, waiting = int(sizes.max()).bit_length(), int(behind.max()).bit_length()
    shift = min(waiting + 1, most - region)
    if waiting == 0 or shift < 2:
        return None
    first = needed if shift > waiting else needed | (behind >= 1 << shift - 1)
    return Shifted(np.where(first, coefficients << shift, coefficients), region, shift)


def decorrelate(planes: Planes) -> Planes:
    """The reversible component transformation of red, green and blue around zero (ISO 15444-1 equation G-5)."""
    red, green, blue = planes
    return np.stack([(red + 2 * green + blue) >> 2, blue - green, red - green])
