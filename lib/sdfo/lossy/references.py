"""Which images of a study other objects rely on: key objects, segmentations, and whatever belongs to radiotherapy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydicom import Dataset
from pydicom.dataelem import DataElement
from pydicom.tag import BaseTag

from sdfo.dicom import attributes
from sdfo.dicom.attributes import PYDICOM_ERRORS
from sdfo.errors import DicomError
from sdfo.lossy.families import NATIVE, RADIOTHERAPY, REFERRING, within
from sdfo.model import Kind
from sdfo.sdicom import Apart, Part, Record

_INSTANCE = BaseTag(0x00081155)
"""Referenced SOP Instance UID, in whatever sequence it stands (PS3.3 table 10-11)."""
_FRAMES_OF_REFERENCE = frozenset((BaseTag(0x00200052), BaseTag(0x30060024)))
"""Frame of Reference UID (PS3.3 section C.7.4.1), and Referenced Frame of Reference UID of a structure set (C.8.8.5)."""


@dataclass(frozen=True, slots=True)
class References:
    """`instances`: SOP Instance UIDs. `frames`: frames of reference in which a treatment is planned. `unread`: objects that
    may refer to any image, for they cannot be read."""

    instances: frozenset[str] = frozenset()
    frames: frozenset[str] = frozenset()
    unread: int = 0

    def __add__(self, other: References) -> References:
        unread = self.unread + other.unread
        return References(self.instances | other.instances, self.frames | other.frames, unread)


def references(ds: Dataset) -> References:
    """What one object relies on; nothing if it is none of those that count."""
    sop_class = str(ds.get("SOPClassUID", ""))
    if not within(sop_class, REFERRING):
        return References()
    uids = list(_uids(ds))
    planned = within(sop_class, RADIOTHERAPY)
    return References(
        frozenset(uid for tag, uid in uids if tag == _INSTANCE),
        frozenset(uid for tag, uid in uids if planned and tag in _FRAMES_OF_REFERENCE),
    )


def references_of(parts: Iterable[Part]) -> References:
    """What the objects in these parts rely on. Give all parts of a study: a key object may come a day after its image."""
    found = References()
    for part in parts:
        for item in (*part.records, *part.aparts):
            if _may_refer(item):
                found += _read(part, item)
    return found


def _may_refer(item: Record | Apart) -> bool:
    """A damaged file that does not say what it is may be a key object."""
    if item.kind is Kind.DAMAGED:
        return item.sop_class is None or not within(item.sop_class, NATIVE)
    return item.sop_class is not None and within(item.sop_class, REFERRING)


def _read(part: Part, item: Record | Apart) -> References:
    if item.kind is Kind.DAMAGED:
        return References(unread=1)
    try:
        return references(attributes(_head(part, item)))
    except (DicomError, *PYDICOM_ERRORS):
        return References(unread=1)


def _head(part: Part, item: Record | Apart) -> bytes:
    """Without its pixel data, where the part knows where that is."""
    if isinstance(item, Record):
        kept = part.head(item)
        return part.original(item) if kept is None else kept[0]
    with part.store.open(f"{part.path.rpartition('/')[0]}/{item.path}") as source:
        return source.read(0, source.size if item.head is None else item.head)


def _uids(ds: Dataset) -> Iterator[tuple[BaseTag, str]]:
    """Every UID, at any depth, with its tag; of several under one tag, each."""
    for element in ds.iterall():
        if element.VR == "UI" and element.value:
            yield from ((element.tag, str(uid)) for uid in _each(element))


def _each(element: DataElement) -> Iterable[object]:
    several: Iterable[object] = element.value if element.VM > 1 else (element.value,)
    return several
