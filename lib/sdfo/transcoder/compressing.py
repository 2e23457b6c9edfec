"""One file of a part: compressed and proven, or kept as it was with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import accumulate

from pydicom import Dataset

from sdfo.dicom import attributes
from sdfo.dicom.attributes import PYDICOM_ERRORS
from sdfo.errors import CodecError, DicomError
from sdfo.jpeg2000 import Codec, Encoded, Image
from sdfo.model import Extent, Form
from sdfo.region import Shown, find
from sdfo.sdicom import Original, Record
from sdfo.sdicom.restoring import encapsulate
from sdfo.transcoder import proof
from sdfo.transcoder.images import Native, Obstacle, native
from sdfo.transcoder.recipe import Recipe, Treated


@dataclass(frozen=True, slots=True)
class Made:
    """What becomes of one file. `record` describes it as it will stand there; `value` is None where it stays as it is.

    `surplus`: what goes to the front of the tail, out of the pixel data's value. `reason`: why it is not compressed.
    """

    record: Record
    value: bytes | None = None
    surplus: bytes = b""
    reason: str | None = None
    judged: bool = False
    treated: tuple[Treated, ...] = ()


@dataclass(frozen=True, slots=True)
class Press:
    """Compresses by one recipe. For several threads."""

    recipe: Recipe
    codec: Codec

    def press(self, record: Record, original: bytes, edges: tuple[bytes, bytes] | None) -> Made:
        """`record` is the original's own; `edges` its head and tail."""
        try:
            image = native(record, original, edges[0] if edges else b"")
            return self._compressed(record, original, edges or (b"", b""), image)
        except Obstacle as obstacle:
            return Made(record, reason=obstacle.what)
        except CodecError:
            return Made(record, reason=f"codec {self.recipe.codec} cannot take it, {record.transfer_syntax}")
        except DicomError:
            return Made(record, reason=f"cannot be written as {self.codec.transfer_syntax}, {record.transfer_syntax}")

    def _compressed(self, record: Record, original: bytes, edges: tuple[bytes, bytes], image: Native) -> Made:
        encoded, treated = self._encoded(record, image, edges[0])
        streams = [each.codestream for each in encoded]
        for stream in streams:
            proof.says_alike(image, stream)
        edges = edges[0], image.surplus + edges[1]
        stored = encapsulate(edges, self.codec.transfer_syntax, streams)
        made = self._record(record, image, encoded)
        value = stored.data if made.form is Form.FILE else b"".join(streams)
        frames = stored.frames if made.form is Form.FILE else _in_a_row(streams)
        made = replace(made, length=len(value), sha256=sha256(value).hexdigest(), frames=frames)
        proof.is_whole(made, stored.data, len(streams))
        proof.gives_back(made, value, edges)
        if judged := self.recipe.judges(record.sha256):
            proof.shows_alike(original, stored.data)
        return Made(made, value, image.surplus, judged=judged, treated=treated)

    def _encoded(self, record: Record, image: Native, head: bytes) -> tuple[list[Encoded], tuple[Treated, ...]]:
        if not self.codec.takes_region:
            return [self.codec.encode(frame) for frame in image.frames()], ()
        ds, encoded, treated = attributes(head), list[Encoded](), list[Treated]()
        for number, frame in enumerate(image.frames()):
            found = find(_shown(ds, frame, number), self.recipe.region)
            encoded.append(self.codec.encode(frame, None if found.whole else found.mask))
            told = (found.method, found.threshold, found.area, found.reason, len(encoded[-1].layers))
            treated.append(Treated(record.sop, number, *told))
        return encoded, tuple(treated)

    def _record(self, record: Record, image: Native, encoded: Sequence[Encoded]) -> Record:
        layers = tuple(each.layers for each in encoded)
        return replace(
            record,
            transfer_syntax=self.codec.transfer_syntax,
            form=self.recipe.form,
            original=Original(record.length, record.sha256, str(image.way)),
            tail=(record.tail or 0) + len(image.surplus),
            layers=layers if all(layers) else None,
        )


def _in_a_row(streams: Sequence[bytes]) -> tuple[tuple[Extent, ...], ...]:
    starts = accumulate(map(len, streams), initial=0)
    return tuple((Extent(at, len(stream)),) for at, stream in zip(starts, streams, strict=False))


def _shown(ds: Dataset, frame: Image, number: int) -> Shown:
    """A header that cannot be read says of nothing that it is background."""
    try:
        return Shown.of(ds, frame.samples, number)
    except PYDICOM_ERRORS:
        return Shown(frame.samples)
