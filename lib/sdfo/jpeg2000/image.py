"""One frame, as a codec takes and gives it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
"""(rows, columns), true for the pixels of the region: those that must be exact."""


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """`samples`: integers, (rows, columns) or (rows, columns, components). `precision`: bits of each, 1 to 16, as SIZ says
    it (ISO 15444-1 clause A.5.1). `rgb`: three components are red, green and blue, which a codec may decorrelate."""

    samples: NDArray[np.integer[Any]]
    precision: int
    signed: bool
    rgb: bool = False
