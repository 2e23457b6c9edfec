"""DICOM files by their structure (PS3.5, PS3.10): whether they are whole, where the pixels lie, and what the head says.

Knows no other format. pydicom is asked where values are unusual, and is the oracle of every test.
"""

from __future__ import annotations

from sdfo.dicom.attributes import attributes
from sdfo.dicom.encapsulating import NATIVE, Encapsulated, encapsulated
from sdfo.dicom.imagepixel import ImagePixel
from sdfo.dicom.select import select
from sdfo.dicom.source import ByteSource, MemorySource
from sdfo.dicom.structure import Structure
from sdfo.dicom.transfer import DEFLATED, is_encapsulated
from sdfo.dicom.whole import examine

__all__ = [
    "DEFLATED",
    "NATIVE",
    "ByteSource",
    "Encapsulated",
    "ImagePixel",
    "MemorySource",
    "Structure",
    "attributes",
    "encapsulated",
    "examine",
    "is_encapsulated",
    "select",
]
