"""What an instance cannot be without, by its SOP Class: a file that was cut between two elements has whole elements
only, and shows by nothing else that something is missing.

A file without pixel data is whole if its class is no image class, it has no attribute of the Image Pixel module, it has
the identifying UIDs that are type 1 in every IOD (PS3.3 sections C.12.1, C.7.2.1 and C.7.3.1), and the element that its
class exists for. A cut after all of these, before a last optional element, cannot be told from a whole file.
"""

from __future__ import annotations

from pydicom.uid import UID_dictionary  # type: ignore[attr-defined]  # imported there, not declared

from sdfo.dicom.facts import Facts
from sdfo.dicom.vr import (
    BITS_ALLOCATED,
    COLUMNS,
    MEDIA_CLASS,
    MEDIA_INSTANCE,
    PIXEL_PROVIDER,
    ROWS,
    SERIES,
    SOP_CLASS,
    SOP_INSTANCE,
    STUDY,
    tag_text,
)
from sdfo.errors import DicomError

_STORAGE = "1.2.840.10008.5.1.4.1.1."

_IMAGES = frozenset(uid for uid, entry in UID_dictionary.items() if "Image Storage" in entry[0]) | {
    _STORAGE + "6.2",  # Enhanced US Volume
    _STORAGE + "30",  # Parametric Map
    _STORAGE + "66.4",  # Segmentation
    _STORAGE + "81.1",  # Ophthalmic Thickness Map
    _STORAGE + "82.1",  # Corneal Topography Map
}

_WITHOUT_STUDY = (
    "1.2.840.10008.5.1.4.38.",
    "1.2.840.10008.5.1.4.39.",
    "1.2.840.10008.5.1.4.43.",
    "1.2.840.10008.5.1.4.44.",
    "1.2.840.10008.5.1.4.45.",
    _STORAGE + "200.",
)
"""Hanging protocols, palettes, implant templates, procedure protocols: instances of no patient."""

SPECTROSCOPY = _STORAGE + "4.2"
"""MR Spectroscopy has Rows and Columns, and its data elsewhere."""

PURPOSE = {
    SPECTROSCOPY: 0x56000020,  # Spectroscopy Data
    _STORAGE + "9.": 0x54000100,  # Waveform Sequence
    _STORAGE + "11.1": 0x0070005A,  # Displayed Area Selection Sequence
    _STORAGE + "66.1": 0x00700308,  # Registration Sequence
    _STORAGE + "88.": 0x0040A730,  # Content Sequence
    _STORAGE + "104.": 0x00420011,  # Encapsulated Document
    _STORAGE + "481.2": 0x3004000A,  # Dose Summation Type, of a dose without pixels too
    _STORAGE + "481.3": 0x30060080,  # RT ROI Observations Sequence
    _STORAGE + "481.5": 0x300A000C,  # RT Plan Geometry
    _STORAGE + "481.8": 0x300A000C,  # … of an ion plan
}
"""SOP Class, or its beginning up to a dot → the element that it exists for."""


def sop_class(facts: Facts) -> str | None:
    return facts.texts.get(SOP_CLASS) or facts.meta.values.get(MEDIA_CLASS) or None


def sop_instance(facts: Facts) -> str | None:
    return facts.texts.get(SOP_INSTANCE) or facts.meta.values.get(MEDIA_INSTANCE) or None


def check_without_pixels(facts: Facts) -> None:
    """`DicomError` if pixel data, an identifying UID or the class's own element should be there."""
    uid = sop_class(facts) or ""
    if PIXEL_PROVIDER in facts.places:  # PS3.5 section A.6: the pixels are kept elsewhere
        return
    if uid in _IMAGES:
        raise DicomError(f"no pixel data, which SOP Class {uid} cannot be without")
    image = [tag for tag in (ROWS, COLUMNS, BITS_ALLOCATED) if tag in facts.places]
    if image and uid != SPECTROSCOPY:
        raise DicomError(f"no pixel data, which {tag_text(image[0])} is about")
    identity = (SOP_CLASS, SOP_INSTANCE) if uid.startswith(_WITHOUT_STUDY) else (SOP_CLASS, SOP_INSTANCE, STUDY, SERIES)
    for tag in identity:
        if not facts.texts.get(tag):
            raise DicomError(f"neither pixel data nor {tag_text(tag)}")
    for key, tag in PURPOSE.items():
        if (uid == key or (key[-1] == "." and uid.startswith(key))) and tag not in facts.places:
            raise DicomError(f"no {tag_text(tag)}, which SOP Class {key} cannot be without")
