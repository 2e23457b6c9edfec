"""Compressed copies as they are: the DICOM object with its codestreams, or an image of its first layers alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sdfo.errors import FormatError, NotFound, OnTape, OutOfRange, SdicomError, StoreError
from sdfo.model import Location
from sdfo.reader import Reader, record_of
from sdfo.sdicom import LastPart, Part, Record

if TYPE_CHECKING:
    from sdfo.jpeg2000 import Image


@dataclass(frozen=True, slots=True, eq=False)
class Preview:
    """An image of the first `layers` of `of`. `final`: of all of them, so every sample is the original's.

    `fetched` bytes were read; the frame has `whole`. Before it is `final` they were compared with no SHA-256, which needs all
    of the file: a byte that changed on the disk may show. The final image comes out of the value, read whole and proven.
    """

    image: Image
    frame: int
    layers: int
    of: int
    fetched: int
    whole: int

    @property
    def final(self) -> bool:
        return self.layers == self.of


class Compressed(LastPart):
    """Files one after the other; the last part stays open. For one thread."""

    def __init__(self, reader: Reader) -> None:
        super().__init__()
        self._reader = reader

    def stored(self, copies: Sequence[Location]) -> bytes | None:
        """The DICOM object in the cheapest copy that is compressed; None where none is."""
        for location, part, record in self.records(copies):
            try:
                return part.stored(record)
            except (StoreError, FormatError) as error:
                self._reader.fault(location, error)
        return None

    def preview(self, copies: Sequence[Location], layers: int, frame: int) -> Preview:
        """A frame, from 0, by its first `layers` (all, if there are fewer). `NotFound` where no copy that has layers can be read.

        `OutOfRange` for a number of layers or of a frame that there is not.
        """
        if layers < 1:
            raise OutOfRange("an image needs a layer", expected="1 or more", found=layers)
        for location, part, record in self.records(copies):
            if record.layers is None or record.frames is None:
                continue
            if not 0 <= frame < len(record.frames):
                raise OutOfRange("no such frame", expected=f"0 … {len(record.frames) - 1}", found=frame)
            try:
                return _preview(part, record, layers, frame)
            except (StoreError, FormatError) as error:
                self._reader.fault(location, error)
        uid = copies[0].sop or copies[0].study
        raise NotFound("no copy of this image that can be read has layers", next_command=f"sdfo locate {uid}")

    def records(self, copies: Sequence[Location]) -> Iterator[tuple[Location, Part, Record]]:
        """Of the copies in S-DICOM files those with a compressed value, cheapest first. The part is open until the next."""
        for location in copies:
            if location.path is None or not location.path.endswith(".sdicom"):
                continue
            try:
                part = self.opened(self._reader.store(location.tier), location.path)
                record = record_of(part, location)
            except OnTape:
                continue
            except (StoreError, FormatError) as error:
                self._reader.fault(location, error)
                continue
            if record.original is not None:
                yield location, part, record


def _preview(part: Part, record: Record, layers: int, frame: int) -> Preview:
    """Of one fragment a frame, as the transcoder writes them, the first bytes alone are read; the value if all are wanted."""
    from sdfo.jpeg2000 import cut, decode  # who wants files alone needs no decoder

    ends, fragments = (record.layers or ())[frame], (record.frames or ())[frame]
    if not ends or len(fragments) != 1:
        raise SdicomError("a layered frame is not in one piece", path=part.path)
    place, count = fragments[0], min(layers, len(ends))
    if count < len(ends):
        data = part.range(record, place.offset, ends[count - 1])
        image, fetched = decode(cut(data, ends, count)), len(data)
    else:
        image, fetched = decode(part.value(record)[place.offset : place.end]), record.length
    return Preview(image, frame, count, len(ends), fetched, place.length)
