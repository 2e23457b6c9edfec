"""Images of which nothing may be called background, whatever their histogram says."""

from __future__ import annotations

from sdfo.model import modality_text
from sdfo.region.values import Shown

WITH_BACKGROUND = frozenset({"CT", "MR"})
"""Modalities whose images show air around the patient as such. Of others (CR, DX, MG, XA, RF, US, SC …) the whole image is
the region until a setting names a method for them."""

_SCOUTS = frozenset({"LOCALIZER", "SCOUT", "SURVIEW", "REF_SURVIEW", "TOPOGRAM", "SCANOGRAM"})
_PAGES = frozenset(
    {"DOSE_INFO", "PATIENT_INFO", "RESULTS", "SUMMARY", "REPORT", "SCREEN SAVE", "SCREEN_SAVE", "SCREENSAVE"}
)
_UNEVEN = frozenset(
    {"P", "PHASE", "PHASE MAP", "PHASE_MAP", "R", "REAL", "I", "IMAGINARY", "VELOCITY", "VELOCITY MAP"}
    | {"SUB", "SUBTRACT", "SUBTRACTION", "MIP", "MAX_IP", "MIN_IP", "PROJECTION IMAGE", "ADC", "FA", "T1 MAP", "T2 MAP"}
)
"""Image types (value 3 and beyond) of MR in which tissue may be as dark as air."""

_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
"""The SOP Class, and the root of its multi-frame ones."""
_HOUNSFIELD = frozenset({"", "HU", "HU_MOD", "US"})
"""Rescale Types (PS3.3 section C.11.1.1.2) of a CT that may be in Hounsfield units. US, unspecified, stands in old ones."""


def always_whole(shown: Shown) -> str | None:
    """Why the region is the whole image, whatever the settings say; None if it need not be."""
    words = set(shown.image_type)
    if shown.burned_in:
        return "annotation is burned into the pixels"
    if words & _SCOUTS:
        return "a scout: it is looked at as a whole"
    if words & _PAGES:
        return "a page of text or a screen"
    if shown.sop_class == _SECONDARY_CAPTURE or shown.sop_class.startswith(f"{_SECONDARY_CAPTURE}."):
        return "a secondary capture"
    return None


def not_judged(shown: Shown) -> str | None:
    """Why this project's own methods cannot tell this image's background; None if they can."""
    if shown.samples.ndim != 2 or not shown.photometric.startswith("MONOCHROME"):
        return "a colour image"
    if shown.modality == "CT":
        return _no_hounsfield(shown)
    if shown.photometric == "MONOCHROME1":
        return "light and dark are exchanged"
    if uneven := sorted(set(shown.image_type[2:]) & _UNEVEN):
        return f"an image of type {uneven[0]}: tissue may be as dark as air"
    if shown.samples.size and shown.real(shown.samples.min()) < 0 and shown.real(shown.samples.max()) > 0:
        return "real values of both signs: zero is not dark"
    return None


def unnamed(shown: Shown) -> str | None:
    """Why the region is the whole image unless the settings name a method for the modality; None if it need not be."""
    if shown.modality in WITH_BACKGROUND:
        return None
    return f"modality {modality_text(shown.modality)}: no method is named for it"


def _no_hounsfield(shown: Shown) -> str | None:
    if not shown.rescaled:
        return "a CT without rescale slope and intercept has no Hounsfield units"
    if shown.unit not in _HOUNSFIELD:
        return "a CT whose Rescale Type is another than Hounsfield units"
    return None
