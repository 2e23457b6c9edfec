"""What a method is shown, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pydicom

Mask = NDArray[np.bool_]
"""(rows, columns), true for the pixels of the region: those that must be exact."""


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """One frame, and what of its header a method may need to judge it.

    `samples`: the stored integers, (rows, columns) or (rows, columns, components). `slope` and `intercept` make real
    values of them (PS3.3 section C.11.1.1.2), `unit` names those. `padding`: the stored values, both included, that are
    no image (PS3.3 section C.7.5.1.1.2). `spacing`: mm between the centres of rows, of columns.
    """

    samples: NDArray[np.integer[Any]]
    modality: str = ""
    slope: float = 1.0
    intercept: float = 0.0
    unit: str = ""
    padding: tuple[int, int] | None = None
    spacing: tuple[float, float] | None = None
    image_type: tuple[str, ...] = ()
    sop_class: str = ""
    photometric: str = "MONOCHROME2"
    burned_in: bool = False
    rescaled: bool = True
    """Whether the header gives slope and intercept."""

    @classmethod
    def of(cls, ds: pydicom.Dataset, samples: NDArray[np.integer[Any]], frame: int = 0) -> Self:
        """`samples`: those of frame `frame` (from 0) of the image whose header is `ds`; its pixel data is not looked at."""
        from sdfo.region.header import facts

        return cls(samples, **facts(ds, frame))

    @property
    def shape(self) -> tuple[int, int]:
        return self.samples.shape[0], self.samples.shape[1]

    def real(self, stored: float) -> float:
        return self.slope * stored + self.intercept

    def stored(self, real: float) -> float:
        return (real - self.intercept) / self.slope


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """The protected region. `threshold`: a real value (of CT in Hounsfield units), None where none was used. `area`: share
    of the image's pixels. `whole`: the region is the whole image. `reason`: how it was found, or why it is whole."""

    mask: Mask
    method: str
    threshold: float | None
    area: float
    whole: bool
    reason: str

    @classmethod
    def of(cls, mask: Mask, method: str, reason: str, threshold: float | None = None) -> Self:
        return cls(mask, method, threshold, float(mask.mean()), bool(mask.all()), reason)

    @classmethod
    def everything(cls, shape: tuple[int, int], method: str, reason: str) -> Self:
        """The region where nothing may be called background."""
        return cls(np.ones(shape, dtype=bool), method, None, 1.0, True, reason)
