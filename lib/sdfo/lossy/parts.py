"""A part's lossy second objects, in one S-DICOM file of their own beside the near-line copy.

Its place follows from the copy's alone: `derived/` and the copy's path below `exams/`. No catalog knows it and nothing
depends on it; whoever loses it makes it again. It is made only where a lossless copy was read back and found whole.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from sdfo.ahead import ahead
from sdfo.catalog import CopyRow
from sdfo.dicom import attributes
from sdfo.errors import DicomError, FormatError, Missing, OnlyCopy
from sdfo.lossy.deriving import Derived, Policy, Refused, derive
from sdfo.lossy.places import derived_path
from sdfo.lossy.policy import refusal
from sdfo.lossy.rules import Around
from sdfo.model import Extent, Kind, Tier
from sdfo.sdicom import Part, Plan, Record, described, plan, write
from sdfo.spool import Spool
from sdfo.stores import Store, anew


@dataclass(frozen=True, slots=True)
class LossyImage:
    """What became of one image of a part, for the run's manifest. `number`: of its record, from 0.

    `sop`: the original's; `derived` the lossy object's. `reason`: why there is none. `psnr` and `largest`: of the background
    of the worst frame. `layers` of `of`, of the frame that has most.
    """

    study: str
    number: int
    sop: str | None
    reason: str | None = None
    derived: str | None = None
    ratio: float | None = None
    psnr: float | None = None
    largest: int | None = None
    layers: int | None = None
    of: int | None = None
    method: str | None = None
    area: float | None = None


@dataclass(frozen=True, slots=True)
class DerivedPart:
    """`attempt`: the file that was written, to be verified and given the name `path`; empty where no image got a lossy
    version: what lies at `path` from earlier is then out of date. `check` and `size` are the file's."""

    path: str
    images: tuple[LossyImage, ...]
    attempt: str = ""
    check: str = ""
    size: int = 0

    @property
    def count(self) -> int:
        return sum(image.derived is not None for image in self.images)

    @property
    def refused(self) -> dict[str, int]:
        """By reason, the most frequent first."""
        return dict(Counter(image.reason for image in self.images if image.reason is not None).most_common())


def derive_part(
    part: Part,
    target: Store,
    attempts: str,
    policy: Policy,
    copies: Iterable[CopyRow],
    around: Around | None = None,
    threads: int = 2,
) -> DerivedPart:
    """Write the lossy objects of `part` as an attempt below the folder `attempts` of `target`, the near-line store.

    `copies`: of the part, as the catalog has them; `OnlyCopy`, and nothing is written, unless a verified one lies on
    near-line and its file is there. The same part, policy and libraries give the same check.
    """
    place = derived_path(_lossless(copies, target))
    with Spool() as spool:
        job = _Deriving(part, policy, around or Around(), spool)
        job.work(threads)
        if not job.rows:
            return DerivedPart(place, job.told())
        planned = plan(part.study, part.folder, [row.record for row in job.rows], job.heads(), threads=threads)
        attempt = anew(target.write_retry_seconds, lambda: job.write(planned, target, attempts))
        return DerivedPart(place, job.told(), attempt, planned.check, planned.size)


def _lossless(copies: Iterable[CopyRow], nearline: Store) -> str:
    """The path of a lossless copy on near-line that was verified, and is what it was, as far as its header tells."""
    verified = [copy for copy in copies if copy.tier is Tier.NEARLINE and copy.state == "verified"]
    if not verified:
        raise OnlyCopy("no verified lossless copy lies on near-line", next_command="sdfo backup --run ID")
    path, check = verified[0].path, verified[0].check
    try:
        with Part.open(nearline, path) as there:
            found = there.check_digest
    except (Missing, FormatError) as error:
        raise OnlyCopy("the lossless copy on near-line cannot be read", path=path) from error
    if found != check:
        raise OnlyCopy("another file lies in the place of the lossless copy", path=path, expected=check, found=found)
    return path


@dataclass(frozen=True, slots=True)
class _Row:
    record: Record
    value: Extent


class _Deriving:
    def __init__(self, part: Part, policy: Policy, around: Around, spool: Spool) -> None:
        self.part, self.policy, self.around, self.spool = part, policy, around, spool
        self.rows = list[_Row]()
        self.images = dict[int, LossyImage]()

    def work(self, threads: int) -> None:
        """Every record in order; pixels are read only of those whose head says nothing against it."""
        asked = list[tuple[int, Record]]()
        for number, record in enumerate(self.part.records):
            reason = self._head_says(record)
            if reason is None:
                asked.append((number, record))
            else:
                self.images[number] = LossyImage(self.part.study, number, record.sop, reason)
        originals = self.part.originals([record for _, record in asked])
        with ahead(lambda item: derive(item[1], self.policy, self.around), originals, threads) as made:
            for (number, record), each in zip(asked, made, strict=True):
                self.images[number] = self._kept(number, record, each)

    def _head_says(self, record: Record) -> str | None:
        if record.kind is not Kind.DICOM:
            return "damaged" if record.kind is Kind.DAMAGED else "no DICOM file"
        kept = self.part.head(record)
        if kept is None:
            return "no native image" if record.pixels is None else "its head is too long"
        try:
            return refusal(attributes(kept[0]), self.policy.lossy, self.around)
        except DicomError:
            return "a header that cannot be read"

    def _kept(self, number: int, record: Record, made: Derived | Refused) -> LossyImage:
        blank = LossyImage(self.part.study, number, record.sop)
        if isinstance(made, Refused):
            return replace(blank, reason=made.reason)
        self.rows.append(_Row(described(record.name, made.data), self.spool.keep(made.data)))
        layers, of = max(zip(made.layers, made.of, strict=True))
        return replace(
            blank,
            derived=made.sop,
            ratio=made.ratio,
            psnr=made.psnr,
            largest=made.largest,
            layers=layers,
            of=of,
            method=made.method,
            area=made.area,
        )

    def told(self) -> tuple[LossyImage, ...]:
        """Of each record, then of the files kept apart, which are too large to be held in memory."""
        beside = (
            LossyImage(self.part.study, number, apart.sop, "a file kept apart: too large")
            for number, apart in enumerate(self.part.aparts, len(self.part.records))
        )
        return *(self.images[number] for number in sorted(self.images)), *beside

    def heads(self) -> Iterator[bytes]:
        for row in self.rows:
            if row.record.head is not None:
                data, tail = self.spool.read(row.value), row.record.tail or 0
                yield data[: row.record.head] + data[len(data) - tail :]

    def write(self, planned: Plan, target: Store, attempts: str) -> str:
        attempt = f"{attempts}/{planned.check[:16]}-{secrets.token_hex(6)}/derived.sdicom"
        with target.create(attempt) as sink:
            write(sink, planned, (self.spool.pieces(row.value) for row in self.rows))
        return attempt
