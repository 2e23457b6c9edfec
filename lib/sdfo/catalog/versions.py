"""Which of several records with one SOP Instance UID a reader is given (docs/format.md).

A UID is given to one image for ever (PS3.5 section 9), so what arrives under a UID that is taken is a correction of its
head, a damaged transfer, or a mistake that a person must see. The order depends on the records and their places alone, so
a catalog rebuilt from files comes to the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sdfo.model import Kind


@dataclass(frozen=True, slots=True)
class Claim:
    """A record that claims a UID: the ordinal of its part in the study, and its number there."""

    ordinal: int
    number: int
    kind: str
    pixels: str | None


def ranked(claims: Iterable[Claim]) -> list[Claim]:
    """The claims on one UID; the place in this list is the version.

    1. Whole records with the pixels of the first whole one, the newest part first: a later one is a correction.
    2. Whole records with other pixels, as they came: the first is served, these wait for a person.
    3. Damaged records, the newest first: served only while nothing better is there.
    """
    whole, damaged = _divided(claims)
    agreeing = [claim for claim in whole if claim.pixels == whole[0].pixels]
    return [*sorted(agreeing, key=_newest), *disputed(whole), *sorted(damaged, key=_newest)]


def disputed(claims: Iterable[Claim]) -> list[Claim]:
    """The whole records whose pixels are not those of the first."""
    whole, _ = _divided(claims)
    return [claim for claim in whole if claim.pixels != whole[0].pixels]


def _divided(claims: Iterable[Claim]) -> tuple[list[Claim], list[Claim]]:
    arrived = sorted(claims, key=lambda claim: (claim.ordinal, claim.number))
    whole = [claim for claim in arrived if claim.kind == Kind.DICOM]
    return whole, [claim for claim in arrived if claim.kind != Kind.DICOM]


def _newest(claim: Claim) -> tuple[int, int]:
    return -claim.ordinal, claim.number
