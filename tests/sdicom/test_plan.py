"""Planning and writing: what the header is made of, what is refused, what it costs."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from sdfo.errors import LengthMismatch, SdicomError
from sdfo.model import Extent, Kind
from sdfo.sdicom import HEAD_LIMIT, TAIL_LIMIT, Apart, Part, in_order, plan, write
from sdfo.seqfile import Reader
from sdfo.stores.local import LocalStore

Make = Callable[..., Any]


def test_the_check_is_the_recipe_of_the_format(store: LocalStore, exam: Any) -> None:
    """SHA-256 over version, study, folder, index, each after its length; the sync marker comes of it."""
    made = exam.write(store)
    with store.open(exam.path) as source:
        metadata = Reader.open(source).metadata()
    values = [metadata[f"sdicom.{key}"] for key in ("version", "study", "folder", "index")]
    joined = b"".join(len(value).to_bytes(8, "big") + value for value in values)
    assert made.check == metadata["sdicom.check"].decode() == sha256(joined).hexdigest()
    assert made.sync == made.header[-16:] == sha256(made.check.encode()).digest()[:16]
    assert metadata["sdicom.heads.check"].decode() == sha256(metadata["sdicom.heads"]).hexdigest()


def test_the_compressed_heads_are_not_in_the_check(exam: Any) -> None:
    """Another version of the compressor changes neither the index nor the part's name."""
    made = exam.plan()
    index = json.loads(made.header[made.header.index(b'{"name"') :].partition(b"}]}")[0] + b"}]}")
    raw = b"".join(m.head for m in sorted(exam.members, key=lambda m: m.record.name) if m.head is not None)
    assert index["heads"] == sha256(raw).hexdigest()
    assert not any("heads" in name for name in index if name != "heads")


def test_an_escape_stands_after_a_million_bytes(store: LocalStore, make_exam: Make, make_member: Make) -> None:
    """Counted from the header's end and from the last escape, and nowhere else."""
    totals = [999_999, 16, 1_000_000, 999_984, 16, 16]  # 16 of each stand before the value
    exam = make_exam([make_member(b"%03d" % n, bytes(total - 16)) for n, total in enumerate(totals)])
    exam.write(store)
    with store.open(exam.path) as source:
        reader = Reader.open(source)
        found = [(entry.key, entry.position - reader.header.end) for entry in reader.entries() if entry.escaped]
    after = 1_000_015 + 20 + 1_000_000  # the first escape comes after two records, the next right after the third
    assert found == [(b"002", 1_000_015), (b"003", after), (b"005", after + 1_000_020)]


def test_names_are_ordered_by_raw_bytes(make_member: Make) -> None:
    """Of the file's own name: an escaped byte sorts as that byte."""
    names = [b"a", b"\xff", b"%41", "é".encode(), b"B", b"a/1", b"a.1"]
    ordered = in_order(make_member(name, b"").record for name in names)
    assert [r.name for r in ordered] == ["%2541", "B", "a", "a.1", "a/1", "é", "%FF"]


def test_two_of_one_name_are_refused(make_member: Make) -> None:
    """Keys are unique, files apart included; the error names no file."""
    record = make_member(b"secret", b"x").record
    apart = Apart(name="secret", path="a.dcm", length=1, sha256="0" * 64, kind=Kind.OTHER)
    for records, aparts in ([record, record], ()), ([record], [apart]), ([], [apart, apart]):
        with pytest.raises(SdicomError) as caught:
            plan("1.2", b"f", records, [], aparts)
        assert "secret" not in str(caught.value)
    with pytest.raises(SdicomError):
        in_order([record, record])


IMPOSSIBLE: dict[str, dict[str, Any]] = {
    "a head without a tail": {"tail": None},
    "a head above its limit": {"length": 2**20, "head": HEAD_LIMIT + 1},
    "a tail above its limit": {"length": 2**20, "tail": TAIL_LIMIT + 1},
    "more head than file": {"head": 9},
    "a negative length": {"length": -1, "head": None, "tail": None},
    "a record above 2 GiB": {"length": 2**31, "head": None, "tail": None},
    "a frame outside": {"frames": ((Extent(0, 5),),)},
    "a frame of negative length": {"frames": ((Extent(3, -1),),)},
    "layers without frames": {"layers": ((1,),)},
    "layers of more frames": {"frames": ((Extent(0, 1),),), "layers": ((1,), (2,))},
    "a name that escape_name never makes": {"name": "%41"},
    "a name that is not Unicode": {"name": "\ud800"},
    "no name": {"name": ""},
    "a name that leads up": {"name": "a/../../b"},
    "a name from the root": {"name": "/etc/passwd"},
    "a name with a zero byte": {"name": "a\0"},
}


@pytest.mark.parametrize("fields", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_impossible_records_are_refused(make_member: Make, fields: dict[str, Any]) -> None:
    record = replace(make_member(b"a", b"1234", head=2).record, **fields)
    with pytest.raises(SdicomError):
        plan("1.2", b"f", [record], [bytes(record.head_size or 0)])


def test_a_path_apart_is_a_file_name() -> None:
    """It never leads elsewhere."""
    for path in ("../x", "a/b", "", ".hidden", "x y"):
        with pytest.raises(SdicomError):
            plan("1.2", b"f", [], [], [Apart(name="a", path=path, length=1, sha256="0" * 64, kind=Kind.OTHER)])


@pytest.mark.parametrize("heads", [[], [b"12"], [b"1"], [b"123"], [b"12", b"12", b"12"]])
def test_heads_must_be_those_of_the_records(make_member: Make, heads: list[bytes]) -> None:
    """One for each record that has one, of the length it says."""
    records = [make_member(name, b"1234", head=2).record for name in (b"a", b"b")]
    with pytest.raises(SdicomError):
        plan("1.2", b"f", records, heads)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([[b"12"], [b"34"]], id="one value less"),
        pytest.param([[b"12"], [b"34"], [b"56"], [b""]], id="one more"),
        pytest.param([[b"12"], [b"3"], [b"56"]], id="one too short"),
        pytest.param([[b"12"], [b"3", b"4", b"5"], [b"56"]], id="one too long"),
        pytest.param([[b"12"], [], [b"56"]], id="one empty"),
    ],
)
def test_values_must_be_those_of_the_plan(store: LocalStore, make_exam: Make, make_member: Make, values: Any) -> None:
    """The length of each is known before; whatever else comes makes the attempt garbage."""
    made = make_exam([make_member(b"%d" % n, b"12") for n in range(3)]).plan()
    with pytest.raises(LengthMismatch), store.create("x") as sink:
        write(sink, made, values)


def test_values_may_come_in_pieces(store: LocalStore, make_exam: Make, make_member: Make) -> None:
    """However they are cut, the file is the same."""
    exam = make_exam([make_member(b"a", b"12345"), make_member(b"b", b"")])
    exam.write(store)
    with store.create("pieces") as sink:
        write(sink, exam.plan(), [[b"", b"12", memoryview(b"345"), b""], []])
    assert store.read_all("pieces") == store.read_all(exam.path)


def test_an_exam_of_files_apart_alone(store: LocalStore, make_exam: Make, exam: Any) -> None:
    """No record at all: the header is the file."""
    alone = make_exam([], exam.aparts)
    made = alone.write(store)
    with Part.open(store, alone.path) as part:
        assert (len(part.records), part.size) == (0, len(made.header))
        assert part.check(deep=True).aparts == 1


def test_a_block_ends_at_a_mebibyte(store: LocalStore, make_exam: Make, make_member: Make) -> None:
    """Not before, and not a byte after: four heads of 256 KiB fill one, less one byte they do not."""
    for less, blocks in ((0, 2), (1, 1)):
        sizes = [HEAD_LIMIT - less, *[HEAD_LIMIT] * 3, 0, 5]
        exam = make_exam(
            [make_member(b"%d" % n, bytes(size), head=size) for n, size in enumerate(sizes)], path=f"{less}"
        )
        exam.write(store)
        with store.open(exam.path) as source:
            assert len(Reader.open(source).metadata()["sdicom.heads"].split(b".")) == blocks


def test_heads_pass_through(make_member: Make) -> None:
    """60 MB of heads leave a header of their compressed size, and no more than a block of them is in memory at once."""
    records = [make_member(b"%04d" % n, bytes(30_000), head=30_000).record for n in range(2_000)]

    def heads() -> Iterator[bytes]:
        for n in range(len(records)):
            yield b"%04d" % n + bytes(29_996)

    tracemalloc.start()
    try:
        made = plan("1.2", b"f", records, heads())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(made.header) < 1_000_000
    assert peak < 12_000_000
