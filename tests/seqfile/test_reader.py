"""Reading SequenceFiles, whole and by split, and what is refused. The Java reader's own view is tested in test_hadoop."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdfo.errors import SequenceFileError, SequenceFileTruncated
from sdfo.seqfile import PREAMBLE, Reader, Writer, encode_vint, prefix, text
from sdfo.stores import Source
from sdfo.stores.local import LocalStore

SYNC = bytes(range(200, 216))
Pairs = list[tuple[bytes, bytes]]
NUMBERS = itertools.count()


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path)


def written(
    store: LocalStore, pairs: Pairs, interval: int = 1_000_000, metadata: Iterable[tuple[bytes, bytes]] = ()
) -> str:
    name = f"{next(NUMBERS)}.seq"
    with store.create(name) as sink:
        writer = Writer(sink, SYNC, interval)
        writer.begin(metadata)
        for key, value in pairs:
            writer.append(key, value)
    return name


def opened(store: LocalStore, data: bytes) -> Reader:
    name = f"{next(NUMBERS)}.raw"
    store.put(name, data)
    return Reader.open(store.open(name))


class Counting(Source):
    """A source that counts the bytes asked of the one it holds."""

    def __init__(self, source: Source) -> None:
        self.source, self.path, self.size, self.bytes = source, source.path, source.size, 0

    def read(self, offset: int, length: int) -> bytes:
        self.bytes += length
        return self.source.read(offset, length)

    def close(self) -> None:
        self.source.close()


KEYS = st.text(max_size=20).map(str.encode)
PAIRS = st.lists(st.tuples(KEYS, st.binary(max_size=300)), max_size=12)


@given(PAIRS, st.integers(1, 2_000), st.dictionaries(KEYS, st.binary(max_size=200), max_size=4))
@settings(max_examples=60, deadline=None)
def test_any_records_read_back(pairs: Pairs, interval: int, metadata: dict[bytes, bytes]) -> None:
    """Keys, values, order and metadata, whatever the distance of the escapes; keys alone agree with the whole."""
    with tempfile.TemporaryDirectory() as folder:
        store = LocalStore(folder)
        with store.open(written(store, pairs, interval, list(metadata.items()))) as source:
            reader = Reader.open(source)
            assert list(reader.items()) == pairs
            assert [(e.key, reader.value(e)) for e in reader.entries()] == pairs
            assert reader.metadata() == {key.decode(): value for key, value in metadata.items()}


@given(PAIRS, st.integers(1, 400), st.lists(st.integers(0, 5_000), max_size=6))
@settings(max_examples=100, deadline=None)
def test_splits_see_each_record_once(pairs: Pairs, interval: int, cuts: list[int]) -> None:
    """However a file is cut into splits, each record belongs to exactly one of them, in order."""
    with tempfile.TemporaryDirectory() as folder:
        store = LocalStore(folder)
        with store.open(written(store, pairs, interval)) as source:
            borders = [0, *sorted(cut for cut in cuts if cut < source.size), source.size]
            reader = Reader.open(source)
            found = [list(reader.items(a, b)) for a, b in itertools.pairwise(borders)]
            assert [pair for split in found for pair in split] == pairs


def test_sync_goes_to_the_next_escape(store: LocalStore) -> None:
    """From each position: the header's end, the first escape at or after it, or the end of the file."""
    pairs = [(b"k%d" % n, bytes([n]) * 50) for n in range(9)]
    with store.open(written(store, pairs, interval=120)) as source:
        reader = Reader.open(source)
        escapes = [entry.position for entry in reader.entries() if entry.escaped]
        assert len(escapes) > 2
        for position in range(source.size + 5):
            later = [at for at in escapes if at >= position]
            expected = reader.header.end if position < reader.header.end else (later or [source.size])[0]
            assert reader.sync(position) == expected


def test_sync_finds_a_marker_across_its_own_pieces(store: LocalStore) -> None:
    """The search reads 1 MiB at a time; a marker that lies across two pieces is found."""
    start = Reader.open(store.open(written(store, []))).header.end
    for shift in range(0, 24, 3):
        first = 1024 * 1024 + shift - 2 * len(prefix(b"a", 0))
        name = written(store, [(b"a", bytes(first)), (b"b", b"after")], interval=1000)
        with store.open(name) as source:
            reader = Reader.open(source)
            assert list(reader.items(start + 1)) == [(b"b", b"after")]


def test_entries_alone_skip_the_values(store: LocalStore) -> None:
    """Of 20 values of 256 KiB nearly nothing is read, and no byte twice when everything is wanted."""
    pairs = [(b"k%d" % n, bytes(256 * 1024)) for n in range(20)]
    source = Counting(store.open(written(store, pairs)))
    reader = Reader.open(source)
    before = source.bytes
    assert [entry.key for entry in reader.entries()] == [key for key, _ in pairs]
    assert source.bytes - before <= 20 * 4096
    before = source.bytes
    assert list(reader.items()) == pairs
    assert source.bytes - before <= source.size
    source.close()


def test_every_truncation_is_an_error_or_fewer_records(store: LocalStore) -> None:
    """A file cut inside its header or a record is refused with the place; cut between records, it is merely shorter."""
    pairs = [(b"one", b"1" * 30), (b"two", b""), (b"three", b"3" * 40)]
    whole = store.read_all(written(store, pairs, interval=40, metadata=[(b"a", b"b" * 40)]))
    reader = opened(store, whole)
    fine = {
        reader.header.end,
        *(e.value.end for e in reader.entries()),
        *(e.position + 20 for e in reader.entries() if e.escaped),
    }
    for cut in range(len(whole)):
        if cut in fine:
            assert list(opened(store, whole[:cut]).items()) in [pairs[:n] for n in range(3)]
            continue
        with pytest.raises(SequenceFileError) as caught:
            list(opened(store, whole[:cut]).items())
        assert caught.value.offset is not None
        assert caught.value.offset <= cut


def hostile() -> Iterator[tuple[str, bytes, type[SequenceFileError]]]:
    """What a file may claim, and how it is refused."""
    ended = (0).to_bytes(4, "big") + SYNC
    header, key = PREAMBLE + ended, text(b"k")
    int32 = [n.to_bytes(4, "big", signed=True) for n in (-2, -1, 0, 4, 6, 7, 2**31 - 1)]
    minus2, minus1, zero, four, six, seven, most = int32
    whole = six + b"\0\0\0\2" + key + zero
    yield "empty", b"", SequenceFileTruncated
    yield "another magic", b"SEQ\x05" + header[4:], SequenceFileError
    yield "another key class", header.replace(b"io.Text", b"io.TEXT"), SequenceFileError
    yield "a key class of another length", b"SEQ\x06" + text(b"x" * 300) + header[30:], SequenceFileError
    yield "another value class", header.replace(b"BytesWritable", b"BytesWritablE"), SequenceFileError
    yield "compressed", PREAMBLE[:-2] + b"\x01\x00" + ended, SequenceFileError
    yield "block-compressed", PREAMBLE[:-2] + b"\x01\x01" + ended, SequenceFileError
    yield "2 billion metadata pairs", PREAMBLE + most + bytes(100), SequenceFileError
    yield "a negative number of pairs", PREAMBLE + minus1 + bytes(100), SequenceFileError
    yield "a value of 2 GB", PREAMBLE + b"\0\0\0\1" + key + encode_vint(2**31) + bytes(900), SequenceFileTruncated
    yield "a key of 2^62 bytes", PREAMBLE + b"\0\0\0\1" + encode_vint(2**62) + bytes(900), SequenceFileTruncated
    yield "a long key", PREAMBLE + b"\0\0\0\1" + text(bytes(70_000)) + text(b"") + SYNC, SequenceFileError
    yield "a negative length", PREAMBLE + b"\0\0\0\1" + encode_vint(-5) + bytes(900), SequenceFileError
    yield "a key twice", PREAMBLE + b"\0\0\0\2" + 2 * (key + key) + SYNC, SequenceFileError
    yield "a key that is no UTF-8", PREAMBLE + b"\0\0\0\1" + text(b"\xff") + key + SYNC, SequenceFileError
    yield "an escape with another marker", header + minus1 + SYNC[::-1] + whole, SequenceFileError
    yield "two escapes", header + 2 * (minus1 + SYNC), SequenceFileError
    yield "a negative record length", header + minus2 + four + key + zero, SequenceFileError
    yield "a negative key length", header + six + minus2 + key + zero, SequenceFileError
    yield "a record of 2 GB", header + most + four + key + most, SequenceFileError
    yield "a key length that is not the key's", header + six + four + key + zero, SequenceFileError
    yield "a value length that is not the value's", header + seven + b"\0\0\0\2" + key + zero, SequenceFileError
    yield "a record beyond the end", header + seven + b"\0\0\0\2" + key + b"\0\0\0\1", SequenceFileTruncated


@pytest.mark.parametrize(("data", "kind"), [pytest.param(d, k, id=name) for name, d, k in hostile()])
def test_impossible_files_are_refused(store: LocalStore, data: bytes, kind: type[SequenceFileError]) -> None:
    """Each with its own error and offset, and nothing of the declared size is allocated."""
    with pytest.raises(kind) as caught:
        list(opened(store, data).items())
    assert type(caught.value) is kind
    assert caught.value.path
    assert caught.value.offset is not None


def test_a_last_escape_ends_the_file(store: LocalStore) -> None:
    """Hadoop's writer may leave one (SequenceFile.Writer.sync at the end)."""
    data = store.read_all(written(store, [(b"k", b"v")]))
    assert list(opened(store, data + b"\xff\xff\xff\xff" + SYNC).items()) == [(b"k", b"v")]


def test_a_record_above_2_gib_is_refused(store: LocalStore) -> None:
    """Lengths are Java ints."""
    with pytest.raises(ValueError):
        prefix(b"k", 2**31 - 6)
    assert prefix(b"k", 2**31 - 7)[:4].hex() == "7fffffff"


def test_a_marker_has_16_bytes(store: LocalStore) -> None:
    with store.create("x") as sink, pytest.raises(SequenceFileError):
        Writer(sink, b"short")
