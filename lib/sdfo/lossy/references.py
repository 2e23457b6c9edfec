"""Which images of a study other objects rely on: key objects, segmentations, and whatever belongs to radiotherapy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

from pydicom import Dataset
from pydicom.dataelem import DataElement
from pydicom.tag import BaseTag

from sdfo.dicom import attributes
from sdfo.errors import DicomError
from sdfo.lossy.families import NATIVE, RADIOTHERAPY, REFERRING, within
from sdfo.model import Extent, Kind
from sdfo.sdicom import Apart, Part, Record
from sdfo.dicom.attributes import PYDICOM_ERRORS

_INSTANCE = BaseTag(0x00081155)
"""Referenced SOP Instance UID, in whatever sequence it stands (PS3.3 table 10-11)."""
_FRAMES_OF_REFERENCE = frozenset((BaseTag(0x00200052), BaseTag(0x30060024)))
"""Frame of Reference UID, and Referenced Frame of Reference UID of a structure set (PS3.3 section C.8.8.5)."""


@dataclass(frozen=True, slots=True)
class References:
    """`instances`: SOP Instance UIDs. `frames`: frames of reference in which a treatment is planned. `unreadable`: objects
    that may refer to any image, for they cannot be read."""

    instances: frozenset[str] = frozenset()
    frames: frozenset[str] = frozenset()
    unreadable: int = 0

    def __add__(self, other: Self) -> References:
        unreadable = self.unreadable + other.unreadable
        return References(self.instances | other.instances, self.frames | other.frames, unreadable)


def references(ds: Dataset) -> References:
    """What one object relies on; nothing if it is none of those that count."""
    sop_class = str(ds.get("SOPClassUID", ""))
    if not within(sop_class, REFERRING):
        return References()
    elements = list(_elements(ds))
    frames = within(sop_class, RADIOTHERAPY)
    return References(
        frozenset(str(each.value) for each in elements if each.tag == _INSTANCE),
        frozenset(str(each.value) for each in elements if frames and each.tag in _FRAMES_OF_REFERENCE),
    )


def references_of(parts: Iterable[Part]) -> References:
    """What the objects in these parts rely on. Give all parts of a study: a key object may come a day after its image."""
    found = References()
    for part in parts:
        for record in part.records:
            found += _of_record(record, lambda record=record: _head(part, record))
        for apart in part.aparts:
            found += _of_record(apart, lambda apart=apart: _head_apart(part, apart))
    return found


def _of_record(record: Record | Apart, head: object) -> References:
    return References()


def _elements(ds: Dataset) -> Iterator[DataElement]:
    """Every element, at any depth."""
    return (element for element in ds.iterall() if element.VR == "UI" and element.value)
