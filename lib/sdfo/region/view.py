"""A frame as a radiologist sees it: 8 bits, at the window of its header (PS3.3 section C.11.2; PS3.4 annex N)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi, apply_windowing

from sdfo.region.header import group
from sdfo.region.values import Shown

Grey = NDArray[np.uint8]

_MODALITY = ("ModalityLUTSequence", "RescaleSlope", "RescaleIntercept", "RescaleType")
_VOI = ("VOILUTSequence", "WindowCenter", "WindowWidth", "VOILUTFunction")
_FAR = 1e12
_TAILS = (0.5, 99.5)
"""Percentiles of an image without window that become black and white."""


def view(ds: pydicom.Dataset, samples: NDArray[Any], frame: int = 0) -> Grey:
    """(rows, columns) or, of a colour image, (rows, columns, 3). `samples` as pydicom's `pixel_array` gives them."""
    if samples.ndim == 3:
        return _eight_bits(samples)
    if ds.get("PhotometricInterpretation") == "PALETTE COLOR":
        return _eight_bits(apply_color_lut(samples, ds))
    shown, facts = Shown.of(ds, samples, frame), _flat(ds, frame)
    try:
        grey = _windowed(apply_modality_lut(samples, facts), facts)
    except (ValueError, TypeError, AttributeError, KeyError, IndexError, NotImplementedError):
        grey = None  # a header that contradicts itself; the image is shown all the same
    grey = _stretched(samples, shown) if grey is None else grey
    return 255 - grey if shown.photometric == "MONOCHROME1" else grey


def _flat(ds: pydicom.Dataset, frame: int) -> pydicom.Dataset:
    """What the lookups read, of this frame (PS3.3 sections C.7.6.16.2.9 and .10), beside the samples' own description."""
    facts = pydicom.Dataset()
    facts.set_original_encoding(*ds.original_encoding)
    for source, words in (
        (ds, ("BitsStored", "BitsAllocated", "PixelRepresentation", "PhotometricInterpretation")),
        (group(ds, frame, "PixelValueTransformationSequence"), _MODALITY),
        (group(ds, frame, "FrameVOILUTSequence"), _VOI),
    ):
        for word in words:
            if word in source:
                facts[word] = source[word]
    return facts


def _windowed(values: NDArray[Any], facts: pydicom.Dataset) -> Grey | None:
    """By the first VOI LUT or window; None without one."""
    if lut := facts.get("VOILUTSequence"):
        return _clipped(apply_voi(np.rint(values).astype(np.int32), facts), 0, 2 ** int(lut[0].LUTDescriptor[2]) - 1)
    if any(facts.get(word) in (None, "") for word in ("WindowCenter", "WindowWidth")):
        return None
    # pydicom's black and white are the ends of what could be stored: two more pixels tell them
    shown = apply_windowing(np.append(values.ravel(), (-_FAR, _FAR)), facts)
    return _clipped(shown[:-2].reshape(values.shape), float(shown[-2]), float(shown[-1]))


def _stretched(samples: NDArray[Any], shown: Shown) -> Grey:
    """Without a window: nearly all of what is no padding, from black to white."""
    low, high = shown.padding or (1, 0)
    seen = samples[(samples < low) | (samples > high)]
    ends = [float(end) for end in np.percentile(seen if seen.size else samples, _TAILS)]
    return _clipped(samples, *(ends if shown.slope > 0 else ends[::-1]))


def _clipped(values: NDArray[Any], low: float, high: float) -> Grey:
    share = (values.astype(np.float64) - low) / ((high - low) or 1.0)
    grey: Grey = (np.clip(share, 0, 1) * 255).round().astype(np.uint8)
    return grey


def _eight_bits(colours: NDArray[Any]) -> Grey:
    """Colours of up to 16 bits."""
    grey: Grey = (colours if colours.dtype == np.uint8 else colours >> 8).astype(np.uint8)
    return grey
