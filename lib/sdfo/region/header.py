"""What `Shown` holds of a DICOM header. Frames of an enhanced object have their own (PS3.3 section C.7.6.16)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pydicom

_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")


def facts(ds: pydicom.Dataset, frame: int) -> dict[str, Any]:
    """The arguments of `Shown` but the samples. What is absent or no number is as if it were not there."""
    rescale = group(ds, frame, "PixelValueTransformationSequence")
    slope, intercept = _number(rescale, "RescaleSlope"), _number(rescale, "RescaleIntercept")
    return {
        "modality": _text(ds, "Modality"),
        "slope": slope or 1.0,
        "intercept": intercept or 0.0,
        "rescaled": bool(slope) and intercept is not None,
        "unit": _text(rescale, "RescaleType"),
        "padding": _padding(ds),
        "spacing": _spacing(group(ds, frame, "PixelMeasuresSequence")),
        "image_type": _image_type(ds, frame),
        "sop_class": _text(ds, "SOPClassUID"),
        "photometric": _text(ds, "PhotometricInterpretation") or "MONOCHROME2",
        "burned_in": _text(ds, "BurnedInAnnotation") == "YES",
    }


def group(ds: pydicom.Dataset, frame: int, macro: str) -> pydicom.Dataset:
    """Where the attributes of a functional group macro stand for this frame; in a plain object, the object itself."""
    for keyword, number in (("PerFrameFunctionalGroupsSequence", frame), ("SharedFunctionalGroupsSequence", 0)):
        groups = ds.get(keyword) or ()
        if number < len(groups) and groups[number].get(macro):
            group: pydicom.Dataset = groups[number][macro].value[0]
            return group
    return ds


def _image_type(ds: pydicom.Dataset, frame: int) -> tuple[str, ...]:
    """Image Type, and Frame Type where frames have one: a word in either counts."""
    words = list(_words(ds.get("ImageType")))
    for macro in ("CTImageFrameTypeSequence", "MRImageFrameTypeSequence"):
        words += _words(group(ds, frame, macro).get("FrameType"))
    return tuple(dict.fromkeys(words))


def _words(value: Any) -> list[str]:
    values = [value] if isinstance(value, str) else value or ()
    return [str(word).strip().upper() for word in values]


def _padding(ds: pydicom.Dataset) -> tuple[int, int] | None:
    """Pixel Padding Value, up to or down to the Range Limit; read as unsigned where it is signed by mistake, it is turned."""
    ends = [_number(ds, word) for word in ("PixelPaddingValue", "PixelPaddingRangeLimit")]
    bits = int(_number(ds, "BitsAllocated") or 16)
    signed = _number(ds, "PixelRepresentation") == 1
    turned = [_turned(int(end), bits, signed) for end in ends if end is not None]
    return (min(turned), max(turned)) if ends[0] is not None else None


def _turned(value: int, bits: int, signed: bool) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if signed and value >> bits - 1 else value


def _spacing(ds: pydicom.Dataset) -> tuple[float, float] | None:
    for word in _SPACINGS:
        try:
            rows, columns = (float(each) for each in ds.get(word) or ())
        except (TypeError, ValueError):
            continue
        if 0 < rows < math.inf and 0 < columns < math.inf:
            return rows, columns
    return None


def _number(ds: pydicom.Dataset, word: str) -> float | None:
    try:
        number = float(ds.get(word))
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _text(ds: pydicom.Dataset, word: str) -> str:
    return str(ds.get(word) or "").strip().upper()
