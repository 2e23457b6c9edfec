"""Synthetic exams: small ones with every kind of row, and the means to write them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

import pytest

from sdfo.model import Extent, Form, Kind
from sdfo.sdicom import Apart, Original, Part, Plan, Record, apart_name, escape_name, in_order, plan, write
from sdfo.stores import Store
from sdfo.stores.local import LocalStore

STUDY = "1.2.826.0.1.3680043.8.498.1"


def digest(data: bytes) -> str:
    return sha256(data).hexdigest()


@dataclass(frozen=True)
class Member:
    """A record, its value, and the bytes that the heads hold for it."""

    record: Record
    value: bytes
    head: bytes | None = None


@dataclass(frozen=True)
class Exam:
    """What goes into one S-DICOM file, in any order."""

    members: Sequence[Member]
    aparts: Sequence[tuple[Apart, bytes]] = ()
    study: str = STUDY
    folder: bytes = b"exam-1"
    path: str = field(default="exams/a.sdicom")

    def plan(self) -> Plan:
        """The plan, heads given in the order it asks for."""
        heads = {member.record.name: member.head for member in self.members}
        ordered = in_order(member.record for member in self.members)
        given = (raw for record in ordered if (raw := heads[record.name]) is not None)
        rows = [member.record for member in self.members]
        return plan(self.study, self.folder, rows, given, [apart for apart, _ in self.aparts])

    def write(self, store: Store) -> Plan:
        """The file and those beside it, at `path`."""
        planned, values = self.plan(), {member.record.name: member.value for member in self.members}
        with store.create(self.path) as sink:
            write(sink, planned, ([values[record.name]] for record in planned.records))
        for apart, data in self.aparts:
            store.put(f"{self.path.rpartition('/')[0]}/{apart.path}", data)
        return planned

    def value(self, name: str) -> bytes:
        return next(member.value for member in self.members if member.record.name == name)


def member(name: bytes, value: bytes, head: int | None = None, tail: int = 0, **fields: object) -> Member:
    """A file whose first `head` and last `tail` bytes are its head and tail."""
    record = Record(
        name=escape_name(name),
        kind=Kind.OTHER if head is None else Kind.DICOM,
        reason=None,
        sop=None,
        series=None,
        sop_class=None,
        transfer_syntax=None,
        length=len(value),
        form=Form.FILE,
        sha256=digest(value),
        pixels=None if head is None else digest(value[head : len(value) - tail]),
        original=None,
        head=head,
        tail=None if head is None else tail,
        frames=None,
    )
    raw = None if head is None else value[:head] + value[len(value) - tail :]
    return Member(replace(record, **fields), value, raw)  # type: ignore[arg-type]


def every_kind() -> Exam:
    """A whole image, a damaged one, a note, a value that is codestreams alone, an empty file, a file apart."""
    ct, image = "1.2.840.10008.5.1.4.1.1.2", b"head of a slice, " + bytes(range(64)) + b" its tail"
    uids = {"sop": f"{STUDY}.1.1", "series": f"{STUDY}.1", "sop_class": ct, "transfer_syntax": "1.2.840.10008.1.2.1"}
    first = member(b"CT/1.dcm", image, head=17, tail=9, frames=((Extent(17, 32),), (Extent(49, 32),)), **uids)
    original = Original(200, digest(b"the file it stands for"), "j2k")
    stream = member(
        b"CT/2.dcm", b"codestreams", form=Form.CODESTREAM, original=original, kind=Kind.DICOM, head=30, tail=2,
        frames=((Extent(0, 4), Extent(4, 2)), (Extent(6, 5),)), layers=((3, 6), (5,)), **(uids | {"sop": f"{STUDY}.1.2"}),
    )  # fmt: skip
    stream = replace(stream, head=b"original head, thirty bytes...\0\0")
    damaged = member(b"CT/caf\xe9.dcm", b"DICM, cut", kind=Kind.DAMAGED, reason="ends inside (0008,0018)")
    note = member("100% späte Bilder.txt".encode(), b"a note")
    large = b"a multi-frame of 100 MB, say"
    apart = Apart(
        name="CT/large.dcm", path=apart_name(STUDY, digest(large)), length=len(large), sha256=digest(large),
        kind=Kind.DICOM, sop=f"{STUDY}.1.3", series=f"{STUDY}.1", sop_class=ct, transfer_syntax="1.2.840.10008.1.2.1",
        pixels=digest(large[2:]), head=2, tail=0, frames=((Extent(2, 26),),),
    )  # fmt: skip
    return Exam([first, stream, damaged, note, member(b"empty", b"")], [(apart, large)])


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path)


@pytest.fixture(scope="session")
def exam() -> Exam:
    """Frozen: no test can spoil it for another."""
    return every_kind()


@pytest.fixture(scope="session")
def make_member() -> Callable[..., Member]:
    return member


@pytest.fixture(scope="session")
def make_exam() -> type[Exam]:
    return Exam


@pytest.fixture
def part(store: LocalStore, exam: Exam) -> Part:
    """The small exam, written and opened."""
    exam.write(store)
    return Part.open(store, exam.path)
