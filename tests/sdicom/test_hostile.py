"""Headers that agree with their own digest and lie all the same: our own errors, little memory, and no crash."""

from __future__ import annotations

import base64
import copy
import itertools
import json
import re
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from sdfo.errors import FormatError, HeaderMismatch, LengthMismatch, NotSdicom, OutOfRange, SdicomError
from sdfo.sdicom import Part
from sdfo.sdicom.layout import header_of
from sdfo.seqfile import PREAMBLE, encode_header, encode_vint, text
from sdfo.stores.local import LocalStore

Make = Callable[..., Any]
NUMBERS = itertools.count()


def use(store: LocalStore, path: str) -> None:
    """Everything that a reader may ask of a file; a range that lies outside a value may be refused as such."""
    with Part.open(store, path) as part:
        for record in part.records:
            part.by_name(record.name)
            part.head(record)
            part.value(record)
            for number in range(len(record.frames or ())):
                try:
                    part.frame(record, number)
                except OutOfRange:
                    continue
        list(part.heads())
        part.check(deep=True)


def table_of(header: bytes) -> tuple[dict[str, Any], bytes]:
    """The index of a header as parsed JSON, and its heads."""
    index = header[header.index(b'{"name"') :].partition(b"\x0csdicom.check")[0]
    heads = header.partition(b"\x0csdicom.heads")[2].partition(b"\x12sdicom.heads.check")[0][1:]
    return json.loads(index), heads


def forged(store: LocalStore, exam: Any, index: bytes, heads: bytes | None = None) -> str:
    """The exam's file with another index (and heads), every digest of the header made to fit."""
    whole = exam.plan()
    body = store.read_all(exam.path)[len(whole.header) :]
    own = table_of(whole.header)[1] if heads is None else heads
    name = f"exams/forged-{next(NUMBERS)}"
    store.put(name, header_of(whole.study.encode(), whole.folder, index, own) + body)
    return name


def changes() -> Iterator[tuple[str, Callable[[dict[str, Any]], Any]]]:
    """Ways to spoil an index: a name, and what is done to it."""
    yield "no column", lambda t: t.pop("tail")
    yield "one more column", lambda t: t.update(more=[])
    yield "columns of different lengths", lambda t: t["kind"].pop()
    yield "a column that is no list", lambda t: t.update(name="name")
    yield "no names", lambda t: t.update(name=None)
    yield "a number as name", lambda t: t["name"].__setitem__(0, 5)
    yield "a list as UID", lambda t: t["sop"].__setitem__(0, [])
    yield "a name twice", lambda t: t["name"].__setitem__(0, t["name"][1])
    yield "half a surrogate pair", lambda t: t["name"].__setitem__(0, "\ud800")
    yield "a name that leads up", lambda t: t["name"].__setitem__(0, "../x")
    yield "a name that leads up, escaped", lambda t: t["name"].__setitem__(0, "%2e%2E/x")
    yield "a name that ends up", lambda t: t["name"].__setitem__(-1, "x/..")
    yield "a name from the root", lambda t: t["name"].__setitem__(2, "/x")
    yield "a name with a zero byte", lambda t: t["name"].__setitem__(2, "x\0")
    yield "a file apart that leads up", lambda t: t["apart"][0].update(name="a/../../b")
    yield "an unknown kind", lambda t: t["kind"].__setitem__(0, "image")
    yield "an unknown form", lambda t: t["form"].__setitem__(0, "zip")
    yield "a negative offset", lambda t: t["offset"].__setitem__(0, -1)
    yield "a negative length", lambda t: t["length"].__setitem__(0, -6)
    yield "true as length", lambda t: t["length"].__setitem__(0, True)
    yield "a fraction as length", lambda t: t["length"].__setitem__(0, 1.5)
    yield "a length beyond 64 bits", lambda t: t["length"].__setitem__(0, 10**4200)
    yield "an offset beyond the file", lambda t: t["offset"].__setitem__(0, 10**9)
    yield "a longer file", lambda t: t["length"].__setitem__(-1, 10**12)
    yield "a head of a gigabyte", lambda t: t["head"].__setitem__(1, 2**30)
    yield "a negative tail", lambda t: t["tail"].__setitem__(1, -1)
    yield "a head without a tail", lambda t: t["tail"].__setitem__(1, None)
    yield "a head more", lambda t: (t["head"].__setitem__(0, 3), t["tail"].__setitem__(0, 0))
    yield "no head", lambda t: (t.update(head=[None] * 5), t.update(tail=[None] * 5))
    yield "frames of words", lambda t: t["frames"].__setitem__(1, [["a", "b"]])
    yield "frames of numbers", lambda t: t["frames"].__setitem__(1, [1, 2])
    yield "an offset without a length", lambda t: t["frames"].__setitem__(1, [[1, 2, 3]])
    yield "a frame outside", lambda t: t["frames"].__setitem__(1, [[0, 10**9]])
    yield "layers of words", lambda t: t["frames"].__setitem__(1, [[[0, 1], ["x"]]])
    yield "an original of one number", lambda t: t["original"].__setitem__(2, [1])
    yield "a shared column that is plain", lambda t: t.update(series=[None] * 5)
    yield "a position beyond the values", lambda t: t["series"][1].__setitem__(0, 9)
    yield "a negative position", lambda t: t["series"][1].__setitem__(0, -1)
    yield "values of another type", lambda t: t["series"][0].__setitem__(0, {})
    yield "values in another order", lambda t: t.update(series=[t["series"][0][::-1], [1 - p for p in t["series"][1]]])
    yield "files apart that are no list", lambda t: t.update(apart={})
    yield "a file apart that is no object", lambda t: t.update(apart=[1])
    yield "a file apart without a path", lambda t: t["apart"][0].pop("path")
    yield "a file apart elsewhere", lambda t: t["apart"][0].update(path="../../etc/passwd")
    yield "a file apart of negative length", lambda t: t["apart"][0].update(length=-1)
    yield "a file apart of an unknown kind", lambda t: t["apart"][0].update(kind="x")
    yield "a file apart without a Unicode name", lambda t: t["apart"][0].update(name="\ud800")
    yield "a file apart of a record's name", lambda t: t["apart"][0].update(name=t["name"][0])
    yield "a digest that is a number", lambda t: t["sha256"].__setitem__(0, 1)
    yield "another digest of the heads", lambda t: t.update(heads="0" * 64)
    yield "no digest of the heads", lambda t: t.update(heads=None)
    yield "a name that escape_name never makes", lambda t: t["name"].__setitem__(0, "%41")


@pytest.mark.parametrize("change", [pytest.param(c, id=name) for name, c in changes()])
def test_a_spoiled_index_is_refused(store: LocalStore, exam: Any, change: Callable[[dict[str, Any]], Any]) -> None:
    """By opening, by reading, or by the deep check at the latest, with the path."""
    table, _ = table_of(exam.write(store).header)
    change(table)
    path = forged(store, exam, json.dumps(table, separators=(",", ":")).encode())
    with pytest.raises(SdicomError) as caught:
        use(store, path)
    assert caught.value.path in (path, None) or caught.value.path == f"exams/{exam.aparts[0][0].path}"


LATER = "original of|head more|no head|without a|another digest|frame|layers|another order|escape_name|of a record"
"""What may be found as late as a row is used or the check runs."""


@pytest.mark.parametrize("change", [pytest.param(c, id=name) for name, c in changes() if not re.search(LATER, name)])
def test_opening_alone_refuses_what_could_do_harm(store: LocalStore, exam: Any, change: Any) -> None:
    """Names that lead out of the folder, types, places and limits: no reader has to check them again."""
    table, _ = table_of(exam.write(store).header)
    change(table)
    with pytest.raises((HeaderMismatch, LengthMismatch)):
        Part.open(store, forged(store, exam, json.dumps(table, separators=(",", ":")).encode()))


@pytest.mark.parametrize(
    "index",
    [b"", b"[]", b"null", b'{"name":', b"{}", b"\xff", b"[" * 100_000, b'{"name":' * 50_000, b"1" * 5_000, b"NaN"],
    ids=lambda raw: repr(raw[:10]),
)
def test_an_index_that_is_none_is_refused(store: LocalStore, exam: Any, index: bytes) -> None:
    """Not JSON, not an object, nested without end, a number without end."""
    exam.write(store)
    path = forged(store, exam, index)
    with pytest.raises(HeaderMismatch) as caught:
        Part.open(store, path)
    assert caught.value.path == path


def test_another_writing_of_the_same_index_is_noticed(store: LocalStore, exam: Any) -> None:
    """One index has one text: blanks, a repeated key or unescaped letters are found by the check, deep or not."""
    table, _ = table_of(exam.write(store).header)
    compact = json.dumps(table, separators=(",", ":")).encode()
    for index in (
        json.dumps(table).encode(),
        b'{"name":0,' + compact[1:],
        compact.replace(b"dicom", b"\\u0064icom", 1),
    ):
        path = forged(store, exam, index)
        with Part.open(store, path) as part, pytest.raises(HeaderMismatch):
            part.check()
    use(store, forged(store, exam, compact))


def swap(table: dict[str, Any]) -> None:
    """The first two rows change places, as an index would have them that a writer put into this order."""
    for name, column in table.items():
        if name in ("series", "sop_class", "transfer_syntax"):
            table[name] = [column[0][::-1], [1 - position for position in column[1]]]
            table[name][1][:2] = table[name][1][1::-1]
        elif name not in ("heads", "apart"):
            column[:2] = column[1::-1]


def shift(table: dict[str, Any]) -> None:
    table["offset"][1] += 1


@pytest.mark.parametrize("change", [swap, shift])
def test_a_check_that_is_not_deep_proves_order_and_places(store: LocalStore, exam: Any, change: Any) -> None:
    """Rows in another order, a place that is off by one: noticed, though every digest of the header fits."""
    table, _ = table_of(exam.write(store).header)
    change(table)
    path = forged(store, exam, json.dumps(table, separators=(",", ":")).encode())
    with Part.open(store, path) as part, pytest.raises(HeaderMismatch) as caught:
        part.check()
    assert caught.value.what == "order or places of the index"


def bombs() -> Iterator[tuple[str, bytes]]:
    """Heads that are none."""

    def packed(raw: bytes) -> bytes:
        return base64.b64encode(zstandard.ZstdCompressor(level=1).compress(raw))

    stream = zstandard.ZstdCompressor(level=1).compressobj(size=-1)
    endless = b"".join(stream.compress(bytes(2**20)) for _ in range(300)) + stream.flush()
    yield "none", b""
    yield "a block more", packed(bytes(58)) + b"." + packed(b"")
    yield "too short", packed(bytes(57))
    yield "300 MB", base64.b64encode(endless)
    yield "300 MB, so declared", packed(bytes(300 * 2**20))
    yield "an exabyte declared", base64.b64encode(bytes.fromhex("28b52ffde0") + b"\xff" * 6 + b"\x0f\x01\x00\x00")
    yield "not base64", b"*" * 40
    yield "base64 without its end", packed(bytes(58))[:-1]
    yield "not zstandard", base64.b64encode(b"plain")
    yield "cut", base64.b64encode(base64.b64decode(packed(bytes(range(58))))[:-9])
    yield "other bytes", packed(bytes(58))


@pytest.mark.parametrize("heads", [pytest.param(h, id=name) for name, h in bombs()])
def test_heads_that_are_none_are_refused(store: LocalStore, exam: Any, heads: bytes) -> None:
    """Without unpacking more than the index announces; a value can be read all the same."""
    table, _ = table_of(exam.write(store).header)
    path = forged(store, exam, json.dumps(table, separators=(",", ":")).encode(), heads)
    tracemalloc.start()
    try:
        with Part.open(store, path) as part:
            assert part.value(part.by_name("CT/1.dcm")) == exam.value("CT/1.dcm")
            with pytest.raises(HeaderMismatch) as caught:
                part.check()
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()
    assert caught.value.path == path


def test_a_block_ends_where_its_heads_end(store: LocalStore, exam: Any) -> None:
    """The right bytes and one more are not the heads."""
    table, _ = table_of(exam.write(store).header)
    raw = b"".join(m.head for m in exam.members if m.head is not None)
    for more in (b"", b"x"):
        heads = base64.b64encode(zstandard.ZstdCompressor(level=1).compress(raw + more))
        with Part.open(store, forged(store, exam, json.dumps(table, separators=(",", ":")).encode(), heads)) as part:
            if more:
                with pytest.raises(HeaderMismatch):
                    part.head(part.records[1])
            else:
                assert part.check(deep=True).heads == 2


def test_a_spoiled_block_costs_no_other_head(store: LocalStore, make_exam: Make, make_member: Make) -> None:
    """Of two blocks the first is garbage: heads of the second still come, so the first is not unpacked for them."""
    exam = make_exam([make_member(b"%02d" % n, bytes([n]) * 200_000, head=200_000) for n in range(8)])
    table, heads = table_of(exam.write(store).header)
    spoiled = b"*" + heads[1:]
    assert heads.count(b".") == 1
    with Part.open(store, forged(store, exam, json.dumps(table, separators=(",", ":")).encode(), spoiled)) as part:
        assert part.head(part.records[7]) == (bytes([7]) * 200_000, b"")
        with pytest.raises(HeaderMismatch):
            part.head(part.records[0])


def raw_headers() -> Iterator[tuple[str, bytes, type[FormatError]]]:
    """Headers that do not even agree with themselves."""
    first = text(b"sdicom.version")
    yield "metadata of 2 GB", PREAMBLE + b"\0\0\0\7" + first + encode_vint(2**31 - 1) + bytes(900), LengthMismatch
    yield "2 billion pairs", PREAMBLE + b"\x7f\xff\xff\xff" + bytes(900), HeaderMismatch
    yield "a negative length", PREAMBLE + b"\0\0\0\7" + encode_vint(-1) + bytes(900), HeaderMismatch
    yield "version 2", encode_header([(b"sdicom.version", b"2"), (b"sdicom.new", b"x")], bytes(16)), NotSdicom
    yield "a long version", encode_header([(b"sdicom.version", b"1" * 9000)], bytes(16)), NotSdicom
    yield "one pair", encode_header([(b"sdicom.version", b"1")], bytes(16)), HeaderMismatch
    yield "other pairs", encode_header([(b"a", b"1")], bytes(16)), NotSdicom


@pytest.mark.parametrize(("data", "kind"), [pytest.param(d, k, id=name) for name, d, k in raw_headers()])
def test_impossible_headers_are_refused(store: LocalStore, data: bytes, kind: type[FormatError]) -> None:
    """Each with its own error, path and offset; nothing of the declared size is allocated."""
    store.put("x", data)
    tracemalloc.start()
    try:
        with pytest.raises(kind) as caught:
            Part.open(store, "x")
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    assert type(caught.value) is kind
    assert caught.value.path == "x"
    assert caught.value.offset is not None


def test_study_and_folder_must_be_text(store: LocalStore) -> None:
    index = b"{}"
    for study, folder in ((b"\xff", b"f"), (b"1.2", b"\xff")):
        store.put(f"{len(study)}", header_of(study, folder, index, b""))
        with pytest.raises(HeaderMismatch):
            Part.open(store, f"{len(study)}")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["file", 0, 1, 300]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)


def nodes(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to each place of a JSON value."""
    if path:
        yield path
    for key in range(len(tree)) if isinstance(tree, list) else tree if isinstance(tree, dict) else ():
        yield from nodes(tree[key], (*path, key))


@pytest.fixture(scope="module")
def folder() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as name:
        yield name


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_any_value_in_any_place_of_the_index(data: st.DataObject, exam: Any, folder: str) -> None:
    """Whatever JSON stands in whatever cell: it is read, or refused by an error of ours, and the check notices."""
    store = LocalStore(folder)
    if not any(True for _ in store.list("exams")):
        exam.write(store)
    table, _ = table_of(exam.plan().header)
    before = copy.deepcopy(table)
    *way, last = data.draw(st.sampled_from(sorted(nodes(table), key=repr)))
    place = table
    for key in way:
        place = place[key]
    place[last] = data.draw(JSON)
    path = forged(store, exam, json.dumps(table, separators=(",", ":")).encode())
    try:
        use(store, path)
    except SdicomError:
        return
    for column in ("name", "offset", "length", "sha256", "head", "tail", "heads"):
        assert table[column] == before[column], "what the file itself proves was changed unnoticed"
