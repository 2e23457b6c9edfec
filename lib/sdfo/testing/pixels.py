"""Pixel planes of generated exams: a real image that ships with pydicom, enlarged, moved and given fresh noise per slice."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydicom import dcmread

from sdfo.testing.shipped import shipped

Modality = Literal["CT", "MR"]

REAL = {"CT": "CT_small.dcm", "MR": "MR_small.dcm"}
"""The real image behind each modality; both ship in pydicom's wheel."""

_SIGMA = {"CT": 12.0, "MR": 20.0}  # noise of a soft-tissue CT in HU, of an MR of some 4,000 steps
_MR_MOST = 4095  # 12 bits stored
_OFFSETS = 1 << 16  # slices that differ in their noise


class Planes:
    """Slices of `size` × `size` pixels, 16 bits, little endian. A function of `modality`, `size` and `seed` alone."""

    def __init__(self, modality: Modality, size: int, seed: int) -> None:
        self.size, self._modality = size, modality
        self._base = _enlarged(modality, size)
        noise = np.random.default_rng(seed).normal(0, _SIGMA[modality], size * size + _OFFSETS)
        self._noise = noise.round().astype("<i2")

    def plane(self, number: int) -> bytes:
        """Slice `number`: the anatomy drifts slowly, the noise never repeats below 65,536 slices."""
        start = number * 40503 % _OFFSETS  # odd, so that every number below 65,536 has a start of its own
        noise = self._noise[start : start + self.size**2].reshape(self.size, self.size)
        drift = round(self.size / 32 * np.sin(number / 25))
        pixels = np.roll(self._base, drift, axis=0) + noise
        if self._modality == "MR":
            np.clip(pixels, 0, _MR_MOST, out=pixels)
        return bytes(pixels.tobytes())


@cache
def _enlarged(modality: Modality, size: int) -> npt.NDArray[np.int16]:
    """Bilinear: what lies between the real image's pixels is as smooth as in a real image of that size."""
    image = dcmread(shipped(REAL[modality])).pixel_array.astype(float)
    rows, columns = _weights(image.shape[0], size), _weights(image.shape[1], size)
    return np.asarray((rows @ image @ columns.T).round(), dtype="<i2")


def _weights(have: int, want: int) -> npt.NDArray[Any]:
    """The matrix that interpolates `want` samples from `have`."""
    at = np.linspace(0, have - 1, want)
    low = np.minimum(at.astype(int), have - 2)
    matrix = np.zeros((want, have))
    matrix[np.arange(want), low] = 1 - (at - low)
    matrix[np.arange(want), low + 1] = at - low
    return matrix
