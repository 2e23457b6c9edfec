"""How far a lossy image is from its original, outside the protected region."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sdfo.jpeg2000 import Mask

Samples = NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True)
class Quality:
    """Of the background. `psnr` in dB, infinite where nothing differs; `largest`: the largest error, in stored values.

    The peak of the PSNR is the range that the original's samples span within the image, and not 2^bits, which flatters an
    image that uses a tenth of its bits.
    """

    psnr: float
    largest: int


def quality(original: Samples, found: Samples, region: Mask, padding: Mask | None = None) -> Quality:
    """`padding` is no image: it does not stretch the range."""
    wide = original.astype(np.int64)
    errors = (found.astype(np.int64) - wide)[~region]
    seen = wide if padding is None or padding.all() else wide[~padding]
    square = float(np.mean(errors * errors)) if errors.size else 0.0
    largest = int(np.abs(errors).max()) if errors.size else 0
    peak = int(seen.max()) - int(seen.min())
    return Quality(math.inf if square == 0 else 10 * math.log10(peak * peak / square) if peak else 0.0, largest)
