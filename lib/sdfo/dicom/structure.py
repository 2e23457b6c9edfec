"""What `examine` says about a file."""

from __future__ import annotations

from dataclasses import dataclass

from sdfo.model import Extent, Frames, Kind


@dataclass(frozen=True, slots=True)
class Structure:
    """Texts are as found, without padding, of at most 128 characters, None where absent or empty: they may be anything,
    so check with `is_uid` before use. `sop` and `sop_class` fall back on the File Meta Information where the data set
    does not get to them; `transfer_syntax` is None where no File Meta Information names one."""

    kind: Kind
    reason: str | None = None
    """Why it is not whole: one sentence with the offset and the two values that disagree, and nothing of the patient's."""
    transfer_syntax: str | None = None
    sop_class: str | None = None
    sop: str | None = None
    series: str | None = None
    study: str | None = None
    study_date: str | None = None
    pixels: Extent | None = None
    """The value of the top-level pixel data (7FE0,0010), (7FE0,0008) or (7FE0,0009), if all its declared bytes are in
    the file: head = before it, tail = after it, head + value + tail = the file. An encapsulated value goes from the
    item tag of the Basic Offset Table to just before the Sequence Delimitation Item, which begins the tail; so it
    equals pydicom's. None where there is no pixel data, and in a deflated file, whose bytes hold no pixel data as such."""
    frames: Frames | None = None
    """Per frame, the fragments of `pixels` that hold it; None if it cannot be told, and for a damaged file."""
    notes: tuple[str, ...] = ()
    """What is odd about a file and does not make it less whole, such as surplus bytes after the pixel matrix."""
