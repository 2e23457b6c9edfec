"""Whether an image may have a lossy second object at all, and how strongly it may be compressed."""

from __future__ import annotations

from pydicom import Dataset

from sdfo.conf import Lossy
from sdfo.dicom.attributes import PYDICOM_ERRORS
from sdfo.lossy.rules import Around, broken
from sdfo.model import modality_text

ELSEWHERE = frozenset(
    {"ABDOMEN", "ABDOMENPELVIS", "ADRENAL", "ANKLE", "AORTA", "ARM", "AXILLA", "BACK", "BLADDER", "BREAST", "BRONCHUS"}
    | {
        "BUTTOCK",
        "CALCANEUS",
        "CALF",
        "CHEST",
        "CHESTABDOMEN",
        "CHESTABDPELVIS",
        "CLAVICLE",
        "COCCYX",
        "COLON",
        "CSPINE",
    }
    | {
        "CTSPINE",
        "ELBOW",
        "EXTREMITY",
        "FEMUR",
        "FINGER",
        "FOOT",
        "FOREARM",
        "HAND",
        "HEART",
        "HIP",
        "HUMERUS",
        "ILIUM",
    }
    | {"KIDNEY", "KNEE", "LEG", "LIVER", "LSPINE", "LSSPINE", "LUNG", "MEDIASTINUM", "PANCREAS", "PATELLA", "PELVIS"}
    | {"PROSTATE", "RADIUS", "RECTUM", "RIB", "SACRUM", "SCAPULA", "SHOULDER", "SPINE", "SPLEEN", "SSPINE", "STERNUM"}
    | {"STOMACH", "THIGH", "THORAX", "THUMB", "TIBIA", "TLSPINE", "TOE", "TSPINE", "ULNA", "WRIST"}
)
"""Body Part Examined (0018,0015; terms of PS3.16 annex L, and THORAX) that show no brain. What is not here may show one: the
neck's scans reach it, a whole body holds it, and a maker's own word could be anything."""


def refusal(ds: Dataset, settings: Lossy, around: Around | None = None) -> str | None:
    """Why no lossy version of `ds` may be made; None if one may. `ds` needs no pixel data, but its `file_meta`."""
    try:
        return _refusal(ds, settings, around or Around())
    except PYDICOM_ERRORS:
        return "a header that cannot be read"


def ceiling(ds: Dataset, settings: Lossy) -> float | None:
    """The largest ratio that an image of this kind may have; None if there is none for its modality."""
    modality = _text(ds, "Modality")
    general = settings.ceilings.get(modality)
    if general is None or modality != "CT" or _text(ds, "BodyPartExamined") in ELSEWHERE:
        return general
    return min(general, settings.ct_brain_ceiling)


def _refusal(ds: Dataset, settings: Lossy, around: Around) -> str | None:
    rule = broken(ds, around)
    if rule is not None:
        return rule.reason
    modality = _text(ds, "Modality")
    if modality not in settings.modalities:
        return f"modality {modality_text(modality)} is not in lossy.modalities"
    if ceiling(ds, settings) is None:
        return f"modality {modality} has no ceiling"
    missing = [word for word in _NEEDED if not _text(ds, word)]
    return f"no {missing[0]}" if missing else None


_NEEDED = ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")


def _text(ds: Dataset, keyword: str) -> str:
    return str(ds.get(keyword) or "").strip().upper()
