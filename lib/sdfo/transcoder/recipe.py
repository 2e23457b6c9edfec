"""What a transcoding is told, and what it says it did."""

from __future__ import annotations

from dataclasses import dataclass

from sdfo.model import Form


@dataclass(frozen=True, slots=True)
class Recipe:
    """`codec` as in the settings; `judged`: share of the images that the second decoder reads too."""

    codec: str
    form: Form = Form.CODESTREAM
    judged: float = 0.01


@dataclass(frozen=True, slots=True)
class Transcoded:
    """A part written as an attempt. `path` is its content's name, `size` that of all its files.

    `kept`: records that were left as they were, by reason; `apart` as in `PartOutcome`.
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
