"""One image's lossy second object: another SOP instance, the same bytes at every run."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from hashlib import sha256

from pydicom import Dataset

from sdfo import conf
from sdfo.dicom import attributes
from sdfo.dicom.attributes import PYDICOM_ERRORS
from sdfo.errors import DicomError
from sdfo.jpeg2000 import open_codec
from sdfo.lossy.attributes import Derivation, derived, native_file
from sdfo.lossy.frames import Cut, Limits, Unfit, compressed
from sdfo.lossy.policy import ceiling, refusal
from sdfo.lossy.protected import Find, Protected, protected
from sdfo.lossy.rules import Around
from sdfo.model import Kind, derived_uid
from sdfo.region import find as find_region
from sdfo.sdicom import described
from sdfo.sdicom.restoring import encapsulate
from sdfo.transcoder.images import Native, Obstacle, native

TRANSFER_SYNTAX = "1.2.840.10008.1.2.4.91"
"""JPEG 2000: a codestream without its last layers is none of .4.90, Lossless Only (PS3.5 section A.4.4)."""
CODEC = "j2k-roi"
VERSION = 1
"""Of what is written: the next one makes other objects, with other UIDs, of the same images."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What an archive wants. `find` finds the region of a frame; one of your own is named in `region.methods`."""

    lossy: conf.Lossy
    region: conf.Region = field(default_factory=conf.Region)
    find: Find = find_region

    @property
    def recipe(self) -> bytes:
        """Everything but the image that decides what is made of it."""
        limits = self.lossy.model_dump(mode="json", exclude={"modalities"})
        facts = {"version": VERSION, "codec": CODEC, "region": self.region.model_dump(mode="json")} | limits
        return json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class Derived:
    """A lossy second object, and how good it is.

    `ratio`: on the basis of Bits Stored. `psnr` (dB, infinite if nothing differs) and `largest` error, in stored values:
    of the background of the worst frame. `layers`: kept of each frame, out of `of`. `area`: share of all pixels that are exact.
    """

    data: bytes
    sop: str
    ratio: float
    psnr: float
    largest: int
    layers: tuple[int, ...]
    of: tuple[int, ...]
    method: str
    area: float


@dataclass(frozen=True, slots=True)
class Refused:
    """Why there is none."""

    reason: str


def derive(original: bytes, policy: Policy, around: Around | None = None) -> Derived | Refused:
    """The lossy version of a DICOM file, or why it gets none. Never an error that the file is to blame for."""
    try:
        ds = attributes(original)
    except DicomError:
        return Refused("no DICOM file")
    try:
        reason = refusal(ds, policy.lossy, around)
        return Refused(reason) if reason else _derived(original, ds, policy)
    except Unfit as unfit:
        return Refused(str(unfit))
    except Obstacle as obstacle:
        return Refused(obstacle.what)
    except (DicomError, *PYDICOM_ERRORS):
        return Refused("a header that cannot be written again")


def _derived(original: bytes, ds: Dataset, policy: Policy) -> Derived:
    record = described("original", original)
    image = native(record, original, original[: record.head or 0])
    limits = Limits(ceiling(ds, policy.lossy) or 0.0, policy.lossy.background_db)
    codec, cuts, regions = open_codec(CODEC), list[Cut](), list[Protected]()
    for number, frame in enumerate(image.frames()):
        regions.append(protected(ds, frame, number, policy.region, policy.find))
        cuts.append(compressed(frame, regions[-1], limits, codec))
    if all(each.quality.largest == 0 for each in cuts):
        raise Unfit("nothing is lost under the ceiling: the lossless copy is as good and as small")
    bits = image.says.length * 8 // image.says.allocated * image.says.stored
    ratio = bits / (8 * sum(len(each.codestream) for each in cuts))
    digest = sha256(b"".join(each.codestream for each in cuts)).digest()
    sop = derived_uid(b"lossy", sha256(original).digest(), policy.recipe, digest)
    series = derived_uid(b"lossy series", str(ds.SeriesInstanceUID).encode(), policy.recipe)
    header = derived(ds, Derivation(sop, series, ratio, _told(cuts, regions[0], ratio)))
    data = _object(header, image, cuts)
    return Derived(
        data=data,
        sop=sop,
        ratio=ratio,
        psnr=min(each.quality.psnr for each in cuts),
        largest=max(each.quality.largest for each in cuts),
        layers=tuple(each.layers for each in cuts),
        of=tuple(each.of for each in cuts),
        method=regions[0].method,
        area=_area(cuts),
    )


def _object(header: Dataset, image: Native, cuts: list[Cut]) -> bytes:
    """The file. What stood after the original's pixels (signatures, padding, a maker's notes on them) is not carried over."""
    room = image.says.length + image.says.length % 2
    file = native_file(header, room, word=image.says.allocated > 8)
    streams = [each.codestream for each in cuts]
    data = encapsulate((file[: len(file) - room], b""), TRANSFER_SYNTAX, streams).data
    found = described("derived", data)
    if found.kind is not Kind.DICOM or found.sop != header.SOPInstanceUID or len(found.frames or ()) != len(cuts):
        raise Unfit("proof failed: the object is not whole")
    return data


def _told(cuts: list[Cut], first: Protected, ratio: float) -> str:
    """Derivation Description; of several frames, the worst background."""
    worst = min(cuts, key=lambda each: each.quality.psnr)
    background = "not changed" if math.isinf(worst.quality.psnr) else f"PSNR {worst.quality.psnr:.1f} dB"
    layers = ", ".join(sorted({f"{each.layers} of {each.of}" for each in cuts}))
    return (
        f"JPEG 2000 with a region of interest (Maxshift), cut after layer {layers}: exact in the protected region "
        f"({first.method}, {_area(cuts):.1%} of the pixels), lossy outside it (background {background}, "
        f"largest error {max(each.quality.largest for each in cuts)}); ratio {ratio:.2f}:1 of Bits Stored"
    )


def _area(cuts: list[Cut]) -> float:
    """Frames are of one size."""
    return sum(each.area for each in cuts) / len(cuts)
