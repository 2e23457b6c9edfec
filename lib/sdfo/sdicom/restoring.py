"""How a compressed value becomes the file that it stands for (docs/format.md, "Restoring an original").

original = head + decoded pixels + tail. The pixels are the samples frame after frame, row by row, and within a pixel
sample by sample, or, planar, plane by plane (PS3.3 section C.7.6.3.1.3); each as an integer of the type named.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from sdfo.dicom import Encapsulated, ImagePixel, encapsulated
from sdfo.errors import CodecError, RecordMismatch, SdicomError
from sdfo.jpeg2000 import Image, codestream, decode
from sdfo.model import Form
from sdfo.sdicom.record import Record

_TYPES = ("|u1", "|i1", "<u2", "<i2", ">u2", ">i2")
_WORD, _PLANAR = "pixels", "planar"


@dataclass(frozen=True, slots=True)
class Way:
    """What `Original.restore` says: `pixels`, the samples' type as numpy writes it, and ` planar` where they are so."""

    type: str
    planar: bool = False

    def __str__(self) -> str:
        return f"{_WORD} {self.type}" + (f" {_PLANAR}" if self.planar else "")

    @classmethod
    def of(cls, text: str) -> Way:
        """`SdicomError` for a text of another writer's, which this one does not know."""
        word, _, rest = text.partition(" ")
        kind, _, planar = rest.partition(" ")
        if word != _WORD or kind not in _TYPES or planar not in ("", _PLANAR) or str(cls(kind, bool(planar))) != text:
            raise SdicomError("no way is known to restore an original", expected=f"{_WORD} TYPE", found=text[:40])
        return cls(kind, bool(planar))

    def length_of(self, header: codestream.Header) -> int:
        """Bytes that a frame will take: some hundred bytes of a codestream can say gigabytes."""
        size = header.size
        return size.rows * size.columns * len(size.components) * np.dtype(self.type).itemsize

    def bytes_of(self, image: Image) -> bytes:
        """One frame as it stood in the file."""
        samples = np.moveaxis(image.samples, -1, 0) if self.planar and image.samples.ndim == 3 else image.samples
        return samples.astype(np.dtype(self.type)).tobytes()


def codestreams(record: Record, value: bytes, path: str | None = None) -> Iterator[bytes]:
    """Each frame's codestream, its fragments joined."""
    if not record.frames:
        raise SdicomError("a compressed record without its frames", path=path)
    for frame in record.frames:
        yield b"".join(value[part.offset : part.end] for part in frame)


def restored(record: Record, value: bytes, edges: tuple[bytes, bytes] | None, path: str | None = None) -> bytes:
    """The original of a compressed `record`. `edges`: its head and tail, out of the heads. `path` is for errors.

    `RecordMismatch` if the bytes are not the original's; `CodecError`, `SdicomError` if there is no way to them.
    """
    original = record.original
    if original is None or edges is None:
        raise SdicomError("nothing is known of the original of a record", path=path)
    way, room, frames = Way.of(original.restore), original.length - len(edges[0]) - len(edges[1]), list[bytes]()
    try:
        for each in codestreams(record, value, path):
            room -= way.length_of(codestream.read(each))
            if room < 0:
                raise CodecError("frames larger than their original")
            frames.append(way.bytes_of(decode(each)))
    except CodecError as error:
        raise CodecError(error.what, path=path, offset=record.offset) from error
    return _proven(original.sha256, [edges[0], *frames, edges[1]], path, record.offset)


def _proven(expected: str, pieces: Sequence[bytes], path: str | None, offset: int) -> bytes:
    data = b"".join(pieces)
    found = sha256(data).hexdigest()
    if found != expected:
        raise RecordMismatch("SHA-256 of an original", path=path, offset=offset, expected=expected, found=found)
    return data


def stored(record: Record, value: bytes, edges: tuple[bytes, bytes] | None, path: str | None = None) -> bytes:
    """The DICOM object of a compressed `record`, as other software reads it: the value, or what `codestream` leaves out."""
    if record.form is Form.FILE:
        return value
    if edges is None:
        raise SdicomError("nothing is known of the head of a record", path=path)
    frames = list(codestreams(record, value, path))
    return encapsulate(edges, record.transfer_syntax or "", frames).data


def encapsulate(edges: tuple[bytes, bytes], transfer_syntax: str, frames: Sequence[bytes]) -> Encapsulated:
    """A DICOM object from an original's head and tail and its frames' codestreams. `DicomError` as `encapsulated`.

    Red, green and blue that went through the reversible transform are YBR_RCT (PS3.5 section 8.2.4).
    """
    photometric = ImagePixel.of(edges[0]).photometric
    if photometric == "RGB" and codestream.read(frames[0]).coding.transformed:
        photometric = "YBR_RCT"
    return encapsulated(*edges, transfer_syntax, photometric, frames)
