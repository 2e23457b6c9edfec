"""Runs of data elements (PS3.5 section 7.1): the one place where headers are decoded, and the inner loop of it all.

A run goes from header to header by arithmetic, without looking at values, until something must be decided by others:
the bytes at hand end, a sequence or a value of undefined length begins, a delimiter stands there, a value does not fit.
Offsets are those of the bytes given; VRs are the two letters as an integer in the run's byte order (0 = implicit).
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Container
from dataclasses import dataclass
from struct import Struct
from typing import NamedTuple

from sdfo.dicom.vr import LONG, SEQUENCES, SHORT, UNDEFINED

HEADER = 12
"""Bytes of the longest header: tag, VR, two reserved bytes, 32-bit length."""

ALL = 0xFFFFFFFF


class Why(enum.Enum):
    """What ended a run."""

    EDGE = "the next header does not lie in the bytes at hand, or nothing follows"
    CONTAINER = "a sequence, or a value of undefined length"
    DELIMITER = "an item or delimiter"
    FOREIGN = "no element"
    CUT = "a value that ends beyond what holds it"
    PAST = "a tag beyond the last one wanted"


Plain = tuple[int, int, int, int]
"""Tag, VR, offset and length of the value."""


class Run(NamedTuple):
    """`passed` elements were whole; `at` is the header that the run stopped before; the fields from `tag` on describe it if it was decoded."""

    found: list[Plain]
    at: int
    why: Why
    passed: int
    tag: int
    vr: int
    value: int
    length: int


Runner = Callable[[bytes, int, int, Container[int], int], Run]


@dataclass(frozen=True, slots=True)
class Coding:
    """How a data set is encoded: what PS3.5 section 10 derives from a transfer syntax."""

    explicit: bool
    order: str
    """`<` or `>`"""
    run: Runner
    """(bytes, at, limit, wanted tags, last tag) → Run. `limit` is where the data set ends; it may lie beyond the bytes."""
    item: Callable[[bytes, int], tuple[int, int, int]]
    """Group, element and length of an item or delimiter, which never has a VR (PS3.5 section 7.5)."""
    names: dict[int, str]
    """The VR of a header's two letters."""


def _explicit_run(order: str, names: dict[int, str]) -> Runner:
    header, wide = Struct(f"{order}HHHH").unpack_from, Struct(f"{order}L").unpack_from
    short = frozenset(number for number, name in names.items() if name in SHORT)
    long = frozenset(number for number, name in names.items() if name in LONG)
    sequence = next(number for number, name in names.items() if name == "SQ")

    def run(data: bytes, at: int, limit: int, wanted: Container[int], until: int) -> Run:
        found: list[Plain] = []
        passed = tag = vr = value = length = 0
        room = min(len(data), limit)
        last, why = room - 8, Why.EDGE
        while at <= last:
            group, number, vr, length = header(data, at)
            tag, value = group << 16 | number, at + 8
            if tag > until:
                why = Why.PAST
                break
            if vr not in short:
                if vr not in long:
                    why = Why.DELIMITER if group == 0xFFFE else Why.FOREIGN
                    break
                if value + 4 > room:
                    break
                (length,) = wide(data, value)
                value += 4
                if length == UNDEFINED or vr == sequence:
                    why = Why.CONTAINER
                    break
            following = value + length
            if following > limit:
                why = Why.CUT
                break
            if tag in wanted:
                found.append((tag, vr, value, length))
            passed += 1
            at = following
        return Run(found, at, why, passed, tag, vr, value, length)

    return run


_SPECIAL = SEQUENCES | {0}


def _implicit_run(order: str) -> Runner:
    header = Struct(f"{order}HHL").unpack_from

    def run(data: bytes, at: int, limit: int, wanted: Container[int], until: int) -> Run:
        found: list[Plain] = []
        passed = tag = value = length = 0
        last, why = min(len(data), limit) - 8, Why.EDGE
        while at <= last:
            group, number, length = header(data, at)
            tag, value = group << 16 | number, at + 8
            if tag > until:
                why = Why.PAST
                break
            if group == 0xFFFE or length == UNDEFINED or tag in _SPECIAL:
                why = Why.DELIMITER if group == 0xFFFE else Why.CONTAINER if tag else Why.FOREIGN
                break
            following = value + length
            if following > limit:
                why = Why.CUT
                break
            if tag in wanted:
                found.append((tag, 0, value, length))
            passed += 1
            at = following
        return Run(found, at, why, passed, tag, 0, value, length)

    return run


def _coding(explicit: bool, order: str) -> Coding:
    names = {Struct(f"{order}H").unpack(name.encode())[0]: name for name in SHORT | LONG} if explicit else {}
    run = _explicit_run(order, names) if explicit else _implicit_run(order)
    return Coding(explicit, order, run, Struct(f"{order}HHL").unpack_from, names)


IMPLICIT_LITTLE, IMPLICIT_BIG = _coding(False, "<"), _coding(False, ">")
EXPLICIT_LITTLE, EXPLICIT_BIG = _coding(True, "<"), _coding(True, ">")


def has_vr(header: bytes) -> bool:
    """Whether an element that begins with these bytes carries a VR: two capitals.

    As a length they would mean a first element of 16 KiB or more, which no data set begins with.
    """
    return len(header) >= 6 and 0x41 <= header[4] <= 0x5A and 0x41 <= header[5] <= 0x5A


def settled(coding: Coding, header: bytes) -> Coding:
    """`coding` with what the first element shows of its VR: writers err in both directions."""
    little = coding.order == "<"
    if has_vr(header):
        return EXPLICIT_LITTLE if little else EXPLICIT_BIG
    return IMPLICIT_LITTLE if little else IMPLICIT_BIG
