"""Sources, `list`, `stat` and `free`: exact bytes, exact bounds, whole paths in order."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import pairwise

import pytest

from sdfo.errors import Missing, OutOfRange, StoreError
from sdfo.model import Extent
from sdfo.stores import CHUNK, Store
from sdfo.testing.contracts.store_base import StoreUnderTest, fill, listed

DATA = random.Random(0).randbytes(10_000)
PATHS = ("a", "b-", "b.c", "b/c", "b/c.d/e", "b/d/e", "b0", "B", "b/C", "_", "z/z/z/z/z/z/z/z")


class ReadContract(StoreUnderTest):
    def test_positioned_reads_are_exact(self, store: Store) -> None:
        """Any range of the file, the empty ones too."""
        store.put("file", DATA)
        dice = random.Random(1)
        with store.open("file") as source:
            assert (source.path, source.size) == ("file", len(DATA))
            for _ in range(200):
                offset = dice.randint(0, len(DATA))
                length = dice.randint(0, len(DATA) - offset)
                assert source.read(offset, length) == DATA[offset : offset + length]
            assert source.read(0, 0) == source.read(len(DATA), 0) == b""

    @pytest.mark.parametrize(
        ("offset", "length"), [(-1, 1), (-1, 0), (0, -1), (0, 10_001), (9_999, 2), (10_000, 1), (10_001, 0), (2**63, 1)]
    )
    def test_bounds(self, store: Store, offset: int, length: int) -> None:
        """Never fewer bytes than asked for, and nothing from outside the file; a stream has the same bounds."""
        store.put("file", DATA)
        with store.open("file") as source:
            with pytest.raises(OutOfRange) as refused:
                source.read(offset, length)
            assert (refused.value.path, refused.value.offset) == ("file", offset)
            with pytest.raises(OutOfRange):
                list(source.stream(offset, length))
            assert source.read(0, len(DATA)) == DATA

    def test_streams(self, store: Store) -> None:
        """Pieces of at most `chunk` that join to the range."""
        store.put("file", DATA)
        with store.open("file") as source:
            for offset, length, chunk in ((0, None, 999), (1, None, 1), (17, 5000, 4096), (10_000, None, 7), (3, 0, 9)):
                pieces = list(source.stream(offset, length, chunk))
                end = len(DATA) if length is None else offset + length
                assert b"".join(pieces) == DATA[offset:end]
                assert all(0 < len(piece) <= chunk for piece in pieces)
            with pytest.raises(OutOfRange):
                list(source.stream(10_001))

    def test_streams_longer_than_a_chunk(self, store: Store) -> None:
        """The default chunk."""
        data = DATA * (2 * CHUNK // len(DATA) + 1)
        store.put("long", data)
        with store.open("long") as source:
            pieces = list(source.stream())
        assert [len(piece) for piece in pieces] == [CHUNK, CHUNK, len(data) - 2 * CHUNK]
        assert b"".join(pieces) == data

    @pytest.mark.parametrize(
        "places",
        [
            [],
            [(3, 0)],
            [(0, 10), (10, 0), (10, 90), (100, 9_900), (10_000, 0)],
            [(0, 100), (117, 1), (118, 5000), (9_999, 1)],
            [(5, 0), (5, 0), (5, 3)],
            [(9_000, 1_000), (0, 1_000), (500, 1_000), (400, 100), (9_000, 1_000)],
        ],
    )
    def test_each_extent(self, store: Store, places: list[tuple[int, int]]) -> None:
        """As they are given: side by side, apart, empty, back and over one another."""
        store.put("file", DATA)
        with store.open("file") as source:
            found = list(source.each([Extent(*place) for place in places]))
        assert found == [DATA[offset : offset + length] for offset, length in places]

    def test_each_of_long_extents(self, store: Store) -> None:
        """Longer than any piece that is asked for at once, and short ones before and after, with what lies between."""
        data = random.Random(3).randbytes(3 * CHUNK)
        store.put("long", data)
        ends = [0, 9, 70_000, 600_000, 2_000_000, 2_000_100, 2 * CHUNK + 2_000_200, 3 * CHUNK - 80_000, 3 * CHUNK]
        extents = [Extent(a + 3, b - a - 3) for a, b in pairwise(ends)]
        with store.open("long") as source:
            assert list(source.each(extents)) == [data[e.offset : e.end] for e in extents]

    def test_each_has_the_bounds_of_a_read(self, store: Store) -> None:
        """However many whole ones come before."""
        store.put("file", DATA)
        with store.open("file") as source, pytest.raises(OutOfRange):
            list(source.each([Extent(0, 10), Extent(10, 10), Extent(9_999, 2)]))

    def test_reads_from_many_threads(self, store: Store) -> None:
        """One source serves them all at once: a read carries its position."""
        store.put("file", DATA)
        with store.open("file") as source, ThreadPoolExecutor(8) as pool:
            ranges = [(n * 37 % 9000, n % 900) for n in range(400)]
            found = list(pool.map(lambda r: source.read(*r), ranges))
        assert found == [DATA[offset : offset + length] for offset, length in ranges]

    def test_nothing_after_close(self, store: Store) -> None:
        """Closing twice is allowed; reading is not."""
        store.put("file", DATA)
        source = store.open("file")
        source.close()
        source.close()
        with pytest.raises(StoreError):
            source.read(0, 1)

    def test_an_open_file_that_is_renamed_or_deleted(self, store: Store) -> None:
        """Reads give its bytes or an error, never another's bytes."""
        fill(store, "old", "other")
        with store.open("old") as source:
            store.rename("old", "new")
            store.rename("other", "old")
            with suppress(StoreError):  # a store that finds its bytes by name may lose them so
                assert source.read(0, 3) == b"old"

    def test_list_ascends_by_whole_path(self, store: Store) -> None:
        """At any depth, in the order of the paths as text: `b.c` before `b/c`."""
        fill(store, *PATHS)
        stats = list(store.list())
        assert [stat.path for stat in stats] == sorted(PATHS)
        assert [stat.size for stat in stats] == [len(path) for path in sorted(PATHS)]

    def test_list_below_a_folder(self, store: Store) -> None:
        """Nothing beside it whose name begins alike; nothing for a folder that is not there, or is a file."""
        fill(store, *PATHS)
        assert listed(store, "b") == sorted(path for path in PATHS if path.startswith("b/"))
        assert listed(store, "b/c.d") == ["b/c.d/e"]
        assert (
            listed(store, "nowhere") == listed(store, "b/nowhere") == listed(store, "a") == listed(store, "a/x") == []
        )

    def test_list_while_files_go(self, store: Store) -> None:
        """A file or folder that goes away while a listing is read does not break it."""
        fill(store, *(f"{folder}/{n}" for folder in "abc" for n in range(3)))
        found = list[str]()
        for stat in store.list():
            if not found:
                for path in [*listed(store, "b"), "c/1"]:
                    store.delete(path)
            found.append(stat.path)
        assert {"a/0", "a/1", "a/2", "c/0", "c/2"} <= set(found)

    def test_an_empty_store(self, store: Store) -> None:
        assert listed(store) == []

    def test_stat(self, store: Store) -> None:
        """As `list` shows it; the time by the store's clock."""
        store.put("a/file", DATA)
        stat = store.stat("a/file")
        assert (stat.path, stat.size) == ("a/file", len(DATA))
        assert abs(stat.modified - time.time()) < 3600
        assert list(store.list()) == [stat]

    def test_missing(self, store: Store) -> None:
        """No such file, a folder, or something below a file: each says which path."""
        fill(store, "a/file")
        for path in ("nothing", "no/thing", "a", "a/file/below"):
            for ask in (store.open, store.stat, store.read_all, store.delete):
                with pytest.raises(Missing) as answer:
                    ask(path)
                assert answer.value.path == path
            assert not store.has(path)
        assert store.has("a/file")
        assert listed(store) == ["a/file"]

    def test_free(self, store: Store) -> None:
        """Bytes free of bytes in all, also while nothing is stored yet."""
        free, total = store.free()
        assert 0 <= free <= total
        assert total > 0
