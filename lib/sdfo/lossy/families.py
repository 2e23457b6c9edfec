"""SOP Classes by what they are (PS3.4 table B.5-1): those whose images may never lose anything, and those that refer to images.

A family is a UID and all below it: `1.2.840.10008.5.1.4.1.1.88` holds every structured report.
"""

from __future__ import annotations

_ = "1.2.840.10008.5.1.4.1.1"

Family = tuple[str, ...]

MAMMOGRAPHY: Family = (f"{_}.1.2", f"{_}.13.1.3", f"{_}.13.1.4", f"{_}.13.1.5")
"""Digital Mammography X-Ray, Breast Tomosynthesis, Breast Projection X-Ray."""
PET: Family = (f"{_}.128", f"{_}.130")
NUCLEAR: Family = (f"{_}.20",)
SEGMENTATION: Family = (f"{_}.66.4", f"{_}.66.5", f"{_}.66.7")
"""Segmentation, Surface Segmentation, Label Map Segmentation."""
PARAMETRIC: Family = (f"{_}.30",)
RADIOTHERAPY: Family = (f"{_}.481", "1.2.840.10008.5.1.4.34")
"""RT Image, Dose, Structure Set, Plan, the radiations; delivery instructions."""
WHOLE_SLIDE: Family = (f"{_}.77.1.6", f"{_}.77.1.9")
"""VL Whole Slide Microscopy; Confocal Microscopy Tiled Pyramidal is its sister."""
TOMOGRAPHY_OF_THE_EYE: Family = (f"{_}.77.1.5.4", f"{_}.77.1.5.7", f"{_}.77.1.5.8", f"{_}.14")
"""Ophthalmic Tomography, OCT En Face and B-scan Volume Analysis; Intravascular OCT."""
CAPTURE: Family = (f"{_}.7",)
"""Secondary Capture, its multi-frame ones below it."""
REPORTS: Family = (f"{_}.88",)
KEY_OBJECTS: Family = (f"{_}.88.59",)
DOCUMENTS: Family = (f"{_}.104",)
"""Encapsulated PDF, CDA, STL …"""
PRESENTATION: Family = (f"{_}.11",)
WAVEFORMS: Family = (f"{_}.9",)

NATIVE: Family = (
    f"{_}.1",  # Computed Radiography; below it Digital X-Ray
    f"{_}.2",  # CT; below it Enhanced and Legacy Converted Enhanced CT
    f"{_}.4",  # MR; the same
    f"{_}.12.1",  # X-Ray Angiographic, Enhanced XA
    f"{_}.12.2",  # X-Ray Radiofluoroscopic, Enhanced XRF
)
"""The classes of the modalities that can have a ceiling. What is of no family here is of a kind that nobody thought of."""
SPECTROSCOPY: Family = (f"{_}.4.2",)
"""MR Spectroscopy stands below MR and is no image."""

REFERRING: Family = KEY_OBJECTS + SEGMENTATION + RADIOTHERAPY
"""Objects that make the images they name evidence, a contour's ground or a treatment's."""


def within(sop_class: str, family: Family) -> bool:
    return any(sop_class == root or sop_class.startswith(f"{root}.") for root in family)
