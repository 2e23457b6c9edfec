"""Whether a file is whole: every declared length inside it, every sequence closed, no pixel missing.

What counts as whole:
- Zero bytes after the last element, where pixel data was found, are padding, and noted. Anything else that is no
  element is damage, and so are zero bytes in a file without pixel data, which may be the unwritten rest of it.
- A wrong group length in the File Meta Information, or a VR coding other than the transfer syntax says, is noted.
- Elements out of order are read where they stand.
- A file that was cut between two elements is told by what it then lacks (`required`). Where it lacks nothing (a last
  optional element was cut from a file without pixel data; anything after the pixel data) the cut goes unnoticed.
- A file without the magic is DICOM only if its first element is one that files begin with; under 132 bytes a cut file
  has lost what it could be known by, and is `OTHER`.
"""

from __future__ import annotations

from sdfo.dicom.facts import NOTED, NUMBERS, TEXTS, Facts
from sdfo.dicom.filemeta import DIRECTORY_CLASS, data_start, read_file_meta
from sdfo.dicom.frames import encapsulated_frames, native_frames
from sdfo.dicom.inflate import Inflated
from sdfo.dicom.pixels import check_pixels
from sdfo.dicom.required import PURPOSE, check_without_pixels, sop_class, sop_instance
from sdfo.dicom.source import ByteSource
from sdfo.dicom.structure import Structure
from sdfo.dicom.transfer import DEFLATED, coding_of, is_implicit
from sdfo.dicom.vr import MEDIA_CLASS, PIXEL_TAGS, SERIES, STUDY, STUDY_DATE
from sdfo.dicom.walk import Walk
from sdfo.dicom.window import Window
from sdfo.errors import DicomError
from sdfo.model import Extent, Frames, Kind

_WANTED = TEXTS | NUMBERS | NOTED | PIXEL_TAGS | frozenset(PURPOSE.values())


def examine(source: ByteSource) -> Structure:
    """The structure of a file of any content. Reads heads and the headers of fragments, no pixels.

    Raises only what `source` raises, such as `OutOfRange` for a file that was cut while being read.
    """
    facts, window = Facts(), Window(source)
    try:
        kind, frames = _prove(window, facts)
        reason = None
    except DicomError as damage:
        kind, frames, reason = Kind.DAMAGED, None, str(damage)
    return Structure(
        kind,
        reason,
        facts.transfer_syntax,
        sop_class(facts),
        None if kind is Kind.OTHER else sop_instance(facts),  # a DICOMDIR is no instance of anything
        facts.texts.get(SERIES) or None,
        facts.texts.get(STUDY) or None,
        facts.texts.get(STUDY_DATE) or None,
        None if facts.pixels is None or facts.deflated else Extent(facts.pixels.value, facts.pixels.length),
        frames,
        tuple(facts.notes),
    )


def _prove(window: Window, facts: Facts) -> tuple[Kind, Frames | None]:
    start = data_start(window)
    if start is None:
        return Kind.OTHER, None
    read_file_meta(window, start, facts.meta)
    if facts.meta.values.get(MEDIA_CLASS) == DIRECTORY_CLASS:
        return Kind.OTHER, None
    _check_meta(window, facts)
    if facts.transfer_syntax not in DEFLATED:
        return Kind.DICOM, _data_set(window, facts.meta.end, facts)
    facts.deflated = True
    inflated = Inflated(window.source, facts.meta.end)
    facts.notes.extend(inflated.notes)
    try:
        _data_set(Window(inflated), 0, facts)
    except DicomError as damage:
        raise DicomError(f"in the inflated data set: {damage}") from damage
    return Kind.DICOM, None


def _check_meta(window: Window, facts: Facts) -> None:
    end, promised = facts.meta.end, facts.meta.promised
    if end == window.size:
        raise DicomError("no data set after the File Meta Information", offset=end)
    if promised not in (None, end):
        facts.notes.append(f"File Meta Information ends at {end}, its group length says {promised}")


def _data_set(window: Window, at: int, facts: Facts) -> Frames | None:
    facts.coding = coding_of(facts.transfer_syntax, window.bytes(at, 8))
    _note_coding(facts)
    walk = Walk(window, at, facts.coding)
    for element in walk.elements(_WANTED):
        facts.take(element, window)
    walk.finish()
    if facts.pixels is None:
        if walk.surplus:
            raise DicomError(f"{walk.surplus} zero bytes after the last element, and no pixel data", offset=walk.at)
        check_without_pixels(facts)
        return None
    if walk.surplus:
        facts.notes.append(f"{walk.surplus} zero bytes after the last element")
    facts.fragments = walk.fragments
    matrix = check_pixels(facts, facts.pixels)
    if facts.deflated:
        return None
    return encapsulated_frames(facts, window) if matrix is None else native_frames(facts.pixels, matrix)


def _note_coding(facts: Facts) -> None:
    syntax = facts.transfer_syntax
    form = "explicit" if facts.coding.explicit else "implicit"
    if syntax is None:
        facts.notes.append(f"no transfer syntax: read as {form} VR")
    elif facts.coding.explicit == is_implicit(syntax):
        facts.notes.append(f"{form} VR under a transfer syntax that says otherwise")
