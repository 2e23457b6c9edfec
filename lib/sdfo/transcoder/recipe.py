"""What is asked of a transcoding, and what it says it did."""

from __future__ import annotations

from dataclasses import dataclass, field

from sdfo.model import Form
from sdfo.region import Plan


@dataclass(frozen=True, slots=True)
class Recipe:
    """`codec` is a name of `jpeg2000.CODECS`. `judged`: the share of images whose stored object a second decoder reads.

    Which ones depends on their SHA-256 alone, so that a re-run judges the same. `region`: how a codec that takes one is
    told what must be exact first.
    """

    codec: str
    form: Form = Form.FILE
    judged: float = 1.0
    region: Plan = field(default_factory=Plan)

    def judges(self, sha256: str) -> bool:
        """Whether the image with this digest is among the judged."""
        return int(sha256[:13], 16) < self.judged * 16**13


@dataclass(frozen=True, slots=True)
class Treated:
    """The protected region of one frame, from 0, of a codec that takes one, as `region.Region` says it; `layers`: how many."""

    sop: str | None
    frame: int
    method: str
    threshold: float | None
    area: float
    reason: str
    layers: int


@dataclass(frozen=True, slots=True)
class Transcoded:
    """A part written as an attempt. `path` is its name by content, beside where the first part lay; `size` is of all its files.

    `kept` counts the files that stayed as they were, by reason; `apart` pairs each plain file's attempt with its name
    beside the part, as in `model.PartOutcome`.
    """

    attempt: str
    path: str
    check: str
    size: int
    form: Form
    records: int
    compressed: int
    kept: tuple[tuple[str, int], ...] = ()
    apart: tuple[tuple[str, str], ...] = ()
    judged: int = 0
    treated: tuple[Treated, ...] = ()
