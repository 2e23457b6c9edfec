"""What an S-DICOM file says of a file of an exam, from the file's bytes."""

from __future__ import annotations

from hashlib import sha256

from sdfo.dicom import MemorySource, Structure, examine
from sdfo.model import Extent, Form, Kind
from sdfo.sdicom.record import HEAD_LIMIT, TAIL_LIMIT, WHOLE_LIMIT, Record


def edges(structure: Structure, size: int) -> tuple[Extent, Extent] | None:
    """Head and tail as byte ranges of the file, if a part is to keep them in its header."""
    if structure.kind is not Kind.DICOM:
        return None
    if structure.pixels is None:
        return (Extent(0, size), Extent(size, 0)) if size <= WHOLE_LIMIT else None
    head, tail = Extent(0, structure.pixels.offset), Extent(structure.pixels.end, size - structure.pixels.end)
    return (head, tail) if head.length <= HEAD_LIMIT and tail.length <= TAIL_LIMIT else None


def described(name: str, data: bytes) -> Record:
    """The record of a file that is in memory, as the converter describes one. `name` is as the index has it."""
    found = examine(MemorySource(data))
    kept = edges(found, len(data))
    pixels = None if found.pixels is None else memoryview(data)[found.pixels.offset : found.pixels.end]
    return Record(
        name=name,
        kind=found.kind,
        reason=found.reason,
        sop=found.sop,
        series=found.series,
        sop_class=found.sop_class,
        transfer_syntax=found.transfer_syntax,
        length=len(data),
        form=Form.FILE,
        sha256=sha256(data).hexdigest(),
        pixels=None if pixels is None else sha256(pixels).hexdigest(),
        original=None,
        head=None if kept is None else kept[0].length,
        tail=None if kept is None else kept[1].length,
        frames=found.frames,
    )
