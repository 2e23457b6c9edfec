"""One frame, as a codec takes and gives it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sdfo.errors import CodecError

Mask = NDArray[np.bool_]
"""(rows, columns), true for the pixels of the region: those that must be exact."""
Planes = NDArray[np.int32]
"""(components, rows, columns)."""

DEEPEST = 16
"""Bits of a sample. DICOM has no more for JPEG 2000 (PS3.5 section 8.2.4)."""
WIDEST = 65535
"""Rows and columns: what DICOM's Rows and Columns can say (PS3.3 section C.7.6.3)."""


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """`samples`: integers, (rows, columns) or (rows, columns, components). `precision`: bits of each, 1 to 16, as SIZ says
    it (ISO 15444-1 clause A.5.1). `rgb`: three components are red, green and blue, which a codec may decorrelate."""

    samples: NDArray[np.integer[Any]]
    precision: int
    signed: bool
    rgb: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, columns = self.samples.shape[:2]
        return rows, columns

    @property
    def midst(self) -> int:
        """What the DC level shift takes from each sample: half the range of unsigned ones (ISO 15444-1 clause G.1)."""
        return 0 if self.signed else 1 << self.precision - 1

    def check(self) -> None:
        """`CodecError` unless a codestream of one or three components can say all of it."""
        if self.samples.dtype.kind not in "iu" or self.samples.ndim not in (2, 3):
            raise CodecError("no integers in rows and columns", found=f"{self.samples.dtype}, {self.samples.ndim} axes")
        components = 1 if self.samples.ndim == 2 else self.samples.shape[2]
        if components not in ((3,) if self.rgb else (1, 3)):
            raise CodecError("components of an image", expected="3" if self.rgb else "1 or 3", found=components)
        if not all(1 <= side <= WIDEST for side in self.size):
            raise CodecError("rows and columns of an image", expected=f"1 to {WIDEST}", found=self.size)
        if not 1 <= self.precision <= DEEPEST:
            raise CodecError("bits of a sample", expected=f"1 to {DEEPEST}", found=self.precision)
        self._check_range()

    def _check_range(self) -> None:
        least = -(1 << self.precision - 1) if self.signed else 0
        most = least + (1 << self.precision) - 1
        found = int(self.samples.min()), int(self.samples.max())
        if found[0] < least or found[1] > most:
            raise CodecError("samples beyond their precision", expected=f"{least} to {most}", found=found)

    def stored(self) -> NDArray[np.integer[Any]]:
        """The samples in the narrowest type that holds them, contiguous; of one component without its axis."""
        kind = f"{'i' if self.signed else 'u'}{1 if self.precision <= 8 else 2}"
        plain = self.samples[..., 0] if self.samples.ndim == 3 and self.samples.shape[2] == 1 else self.samples
        return np.ascontiguousarray(plain, dtype=kind)

    def planes(self) -> Planes:
        """The samples by component, around zero."""
        apart = self.samples[np.newaxis] if self.samples.ndim == 2 else np.moveaxis(self.samples, 2, 0)
        around: Planes = np.subtract(apart, self.midst, dtype=np.int32)
        return around
