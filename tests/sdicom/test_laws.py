"""Laws of the S-DICOM file, for any records: it reads back, and it is a function of their set."""

from __future__ import annotations

import random
import tempfile
from dataclasses import replace
from hashlib import sha256
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sdfo.model import Extent, Form, Kind
from sdfo.sdicom import (
    Apart,
    Original,
    Part,
    Plan,
    Record,
    apart_name,
    escape_name,
    in_order,
    plan,
    unescape_name,
    write,
)
from sdfo.seqfile import Reader
from sdfo.stores.local import LocalStore

PARTS = st.one_of(
    st.binary(min_size=1, max_size=8).map(lambda raw: raw.replace(b"/", b"_").replace(b"\0", b"_")),
    st.sampled_from([b"%41", b"%2e", b"b%", b"a", b"...", "é".encode()]),
).filter(lambda part: part not in (b".", b".."))
NAMES = st.lists(PARTS, min_size=1, max_size=3).map(b"/".join)
UIDS = st.none() | st.sampled_from(["1.2", "1.2.3", "not a UID", "\u00e9\ud800"])
HEX = st.binary(min_size=32, max_size=32).map(bytes.hex)
ORIGINALS = st.none() | st.builds(Original, st.integers(0, 2**40), HEX, st.text(max_size=9))

Member = tuple[Record, bytes, bytes | None]


@st.composite
def frames(draw: st.DrawFn, length: int) -> tuple[Any, Any]:
    """Frames within a value, and their layers or none."""
    extent = st.builds(lambda a, b: Extent(min(a, b), abs(a - b)), *[st.integers(0, length)] * 2)
    found = draw(st.none() | st.lists(st.lists(extent, max_size=3).map(tuple), max_size=3).map(tuple))
    if not found or not draw(st.booleans()):
        return found, None
    return found, tuple(tuple(draw(st.lists(st.integers(0, 99), max_size=3))) for _ in found)


@st.composite
def columns(draw: st.DrawFn, length: int) -> dict[str, Any]:
    """The columns that a record and a file apart have in common."""
    some_frames, layers = draw(frames(length))
    return {
        "kind": draw(st.sampled_from(Kind)), "reason": draw(st.none() | st.text(max_size=9)),
        "sop": draw(UIDS), "series": draw(UIDS), "sop_class": draw(UIDS), "transfer_syntax": draw(UIDS),
        "length": length, "pixels": draw(st.none() | HEX), "original": draw(ORIGINALS),
        "frames": some_frames, "layers": layers,
    }  # fmt: skip


@st.composite
def members(draw: st.DrawFn, name: bytes) -> Member:
    """A record, its value, and head and tail if it has them."""
    value = draw(st.binary(max_size=200))
    row = draw(columns(len(value)))
    own = row["original"] is None and draw(st.booleans())
    head = raw = tail = None
    if draw(st.booleans()):
        head, tail = draw(st.integers(0, len(value))), 0
        tail = draw(st.integers(0, len(value) - head))
        raw = (
            value[:head] + value[len(value) - tail :]
            if own
            else draw(st.binary(min_size=head + tail, max_size=head + tail))
        )
    form = Form.FILE if own or row["original"] is not None else Form.CODESTREAM
    digest = sha256(value).hexdigest()
    return Record(name=escape_name(name), form=form, sha256=digest, head=head, tail=tail, **row), value, raw


@st.composite
def aparts(draw: st.DrawFn, name: bytes) -> Apart:
    digest = draw(HEX)
    row = draw(columns(draw(st.integers(0, 2**40))))
    return Apart(name=escape_name(name), path=apart_name("1.2", digest), sha256=digest, **row)


@st.composite
def exams(draw: st.DrawFn) -> tuple[list[Member], list[Apart]]:
    names = draw(st.lists(NAMES, max_size=8, unique=True))
    beside = draw(st.integers(0, len(names)))
    return [draw(members(n)) for n in names[beside:]], [draw(aparts(n)) for n in names[:beside]]


def planned(some: list[Member], beside: list[Apart], folder: bytes = b"f\xff") -> Plan:
    raws = {record.name: raw for record, _, raw in some}
    ordered = in_order(record for record, _, _ in some)
    heads = (raw for record in ordered if (raw := raws[record.name]) is not None)
    return plan("1.2", folder, [record for record, _, _ in some], heads, beside)


@given(exams(), st.binary(max_size=9))
@settings(max_examples=50, deadline=None)
def test_what_was_written_is_read(exam: tuple[list[Member], list[Apart]], folder: bytes) -> None:
    """Every row, value, head and tail, in the order of raw names, through our reader and through a plain one."""
    some, beside = exam
    made = planned(some, beside, folder)
    by_name = {record.name: (record, value, raw) for record, value, raw in some}
    with tempfile.TemporaryDirectory() as root:
        store = LocalStore(root)
        with store.create("a.sdicom") as sink:
            write(sink, made, ([by_name[r.name][1]] for r in made.records))
        with Part.open(store, "a.sdicom") as part:
            assert (part.study, part.folder, part.check_digest, part.size) == ("1.2", folder, made.check, made.size)
            assert tuple(part.records) == made.records
            assert [replace(r, offset=0) for r in part.records] == [by_name[r.name][0] for r in part.records]
            assert [unescape_name(r.name) for r in part.records] == sorted(unescape_name(n) for n in by_name)
            assert part.aparts == made.aparts
            assert sorted(part.aparts, key=repr) == sorted(beside, key=repr)
            for record in part.records:
                whole, (_, value, raw) = part.head(record), by_name[record.name]
                assert part.value(record) == b"".join(part.stream(record, 7)) == value
                assert (None if whole is None else b"".join(whole)) == raw
            assert part.check(deep=True).records == len(some)
            assert list(Reader.open(part.source).items()) == [
                (r.name.encode(), by_name[r.name][1]) for r in made.records
            ]


@given(exams(), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_a_plan_is_a_function_of_the_set(exam: tuple[list[Member], list[Apart]], chance: random.Random) -> None:
    """Records and files apart in any order: the same header, so the same check and the same file."""
    some, beside = exam
    first = planned(some, beside)
    chance.shuffle(some)
    chance.shuffle(beside)
    assert planned(some, beside) == first
