"""Map: one SAN file, read once, becomes a description: no pixel in it, everything Reduce must know before it writes."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from hashlib import sha256

import zstandard

from sdfo.dicom import MemorySource, examine
from sdfo.errors import OutOfRange, SanError, Unreadable
from sdfo.model import Description, Extent, Fate, FileStamp, valid_date
from sdfo.sdicom import edges
from sdfo.tiers.san import San, SanFile

SHUFFLE_MOST = 64 * 1024
"""Bytes of head and tail together that a description carries; Reduce reads longer ones from the file again."""
AT_ONCE = 64 * 1024 * 1024
"""Bytes of a file that are read in one piece; a longer one is hashed in pieces and walked by positioned reads."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a file has no description."""

    stamp: FileStamp
    fate: Fate
    reason: str


class _Packer(threading.local):
    """A compressor of each thread's own: to make one costs more than a CT's head costs it, and none serves two at once."""

    def __init__(self) -> None:
        self.compress = zstandard.ZstdCompressor(level=3).compress


_packer = _Packer()


def describe(san: San, folder: bytes, stamp: FileStamp) -> Description | Problem:
    """Everything Reduce must know of one file, from one reading of it."""
    try:
        with san.open(folder, stamp.name) as file:
            file.require(stamp)
            found = _described(file, stamp)
            file.require(stamp)
            return found
    except Unreadable as error:
        return Problem(stamp, Fate.UNREADABLE, error.what)
    except (SanError, OutOfRange) as error:
        return Problem(stamp, Fate.CHANGED, error.what)


def _described(file: SanFile, stamp: FileStamp) -> Description:
    source = MemorySource(file.read(0, stamp.size)) if stamp.size <= AT_ONCE else file
    structure = examine(source)
    digest, pixels = _digests(source, structure.pixels or Extent(0, 0))
    kept = edges(structure, stamp.size)
    head = b"" if kept is None else b"".join(source.read(e.offset, e.length) for e in kept)
    return Description(
        stamp=stamp,
        sha256=digest,
        kind=structure.kind,
        reason=structure.reason,
        study=structure.study,
        series=structure.series,
        sop=structure.sop,
        sop_class=structure.sop_class,
        transfer_syntax=structure.transfer_syntax,
        study_date=valid_date(structure.study_date),
        head_length=None if kept is None else kept[0].length,
        tail_length=None if kept is None else kept[1].length,
        head=None if kept is None or len(head) > SHUFFLE_MOST else _packer.compress(head),
        pixels=None if structure.pixels is None else pixels,
        frames=structure.frames,
    )


def _digests(source: MemorySource | SanFile, pixels: Extent) -> tuple[str, str]:
    """Of the whole file, and of a byte range in it."""
    whole, part = sha256(), sha256()
    for at in range(0, source.size, AT_ONCE):
        piece = memoryview(source.read(at, min(AT_ONCE, source.size - at)))
        whole.update(piece)
        part.update(piece[max(pixels.offset - at, 0) : max(pixels.end - at, 0)])
    return whole.hexdigest(), part.hexdigest()
