"""Several at once: threads, processes, and a store object carried into another process."""

from __future__ import annotations

import multiprocessing
import pickle
import sys
import threading
from collections.abc import Callable

from sdfo.errors import Exists, Missing, StoreError
from sdfo.stores import Store
from sdfo.testing.contracts.store_base import StoreUnderTest, fill, listed

_FORK = multiprocessing.get_context("fork")
_PATIENCE = 30.0  # seconds; a client that was inherited over a fork hangs for ever
_WON, _LOST, _MISSED = 0, 10, 11

Action = Callable[[Store, int], None]
"""What racer number n does to the store."""
Run = Callable[[int, Store, Action], list[int]]


class RaceContract(StoreUnderTest):
    def test_creators_in_threads(self, store: Store) -> None:
        """Of many who create one name, exactly one may write it."""
        for number in range(10):
            codes = _in_threads(8, store, _creating(f"race/{number}"))
            assert sorted(codes) == [_WON] + [_LOST] * 7
            assert self.raw_bytes(store, f"race/{number}") == b"%d" % codes.index(_WON)

    def test_creators_in_processes(self, store: Store) -> None:
        """The same, across processes."""
        for number in range(3):
            codes = _in_processes(4, store, _creating(f"race/{number}"))
            assert sorted(codes) == [_WON] + [_LOST] * 3
            assert self.raw_bytes(store, f"race/{number}") == b"%d" % codes.index(_WON)

    def test_renames_onto_one_name_in_threads(self, store: Store) -> None:
        """Exactly one gets the name; the others' files stay as they were."""
        for turn in range(5):
            self._renames_onto_one_name(store, 8, f"{turn}", _in_threads)

    def test_renames_onto_one_name_in_processes(self, store: Store) -> None:
        """The same, across processes."""
        for turn in range(3):
            self._renames_onto_one_name(store, 4, f"{turn}", _in_processes)

    def _renames_onto_one_name(self, store: Store, racers: int, turn: str, run: Run) -> None:
        attempts = [f"attempts{turn}/{number}" for number in range(racers)]
        fill(store, *attempts)
        codes = run(racers, store, _renaming(attempts, [f"exams/{turn}"] * racers))
        assert sorted(codes) == [_WON] + [_LOST] * (racers - 1)
        winner = attempts.pop(codes.index(_WON))
        assert self.raw_bytes(store, f"exams/{turn}") == winner.encode()
        assert listed(store, f"attempts{turn}") == attempts
        assert [self.raw_bytes(store, attempt) for attempt in attempts] == [attempt.encode() for attempt in attempts]

    def test_renames_of_one_file(self, store: Store) -> None:
        """Exactly one carries it off; to the others it is `Missing`."""
        for turn in range(5):
            fill(store, f"attempt{turn}")
            codes = _in_threads(8, store, _renaming([f"attempt{turn}"] * 8, [f"to{turn}/{n}" for n in range(8)]))
            assert sorted(codes) == [_WON] + [_MISSED] * 7
            assert listed(store, f"to{turn}") == [f"to{turn}/{codes.index(_WON)}"]

    def test_folders_that_empty_meanwhile(self, store: Store) -> None:
        """Whether emptied folders stay or go, who writes into one or renames into one does not notice."""

        def come_and_go(store: Store, number: int) -> None:
            for turn in range(60):
                fill(store, f"a/b/{number}")
                store.rename(f"a/b/{number}", f"c/d/{number}-{turn}")
                store.delete(f"c/d/{number}-{turn}")

        assert _in_threads(6, store, come_and_go) == [_WON] * 6
        assert listed(store) == []

    def test_put_is_all_or_nothing(self, store: Store) -> None:
        """Who looks while a file is put sees nothing, or all of it."""
        data, seen, done = b"x" * 3_000_000, set[int](), threading.Event()

        def look() -> None:
            while not done.is_set():
                for number in range(5):
                    try:
                        seen.add(len(store.read_all(f"file{number}")))
                    except Missing:
                        seen.add(-1)

        watcher = threading.Thread(target=look)
        watcher.start()
        try:
            for number in range(5):
                store.put(f"file{number}", data)
        finally:
            done.set()
            watcher.join()
        assert seen <= {-1, len(data)}

    def test_fork(self, store: Store) -> None:
        """A store used by the parent works in its forked child, and in the parent after that."""
        fill(store, "parent")
        with store.open("parent") as source:
            assert _in_processes(2, store, lambda store, number: _work(store, f"child{number}")) == [_WON, _WON]
            assert source.read(0, 6) == b"parent"
        assert listed(store) == ["child0", "child1", "parent"]
        _work(store, "again")

    def test_pickle(self, store: Store) -> None:
        """A store crosses process borders by value, before its first use and after."""
        fresh = pickle.loads(pickle.dumps(store))  # noqa: S301
        fill(store, "parent")
        used = pickle.loads(pickle.dumps(store))  # noqa: S301
        assert fresh.url == used.url == store.url
        assert fresh.read_all("parent") == used.read_all("parent") == b"parent"


def _creating(path: str) -> Action:
    def create(store: Store, number: int) -> None:
        with store.create(path) as sink:
            sink.write(b"%d" % number)

    return create


def _renaming(old: list[str], new: list[str]) -> Action:
    def rename(store: Store, number: int) -> None:
        try:
            store.rename(old[number], new[number])
        except Missing as error:
            if error.path != old[number]:
                raise StoreError("not the path that was missing", expected=old[number], found=error.path) from error
            raise

    return rename


def _work(store: Store, path: str) -> None:
    """A little of everything."""
    store.put(f"{path}.attempt", b"data")
    store.rename(f"{path}.attempt", path)
    if store.read_all(path) != b"data" or path not in listed(store):
        raise StoreError("not what was written", path=path)


def _code(action: Action, store: Store, number: int) -> int:
    try:
        action(store, number)
    except Exists:
        return _LOST
    except Missing:
        return _MISSED
    return _WON


def _in_threads(racers: int, store: Store, action: Action) -> list[int]:
    codes, start = [-1] * racers, threading.Barrier(racers)

    def race(number: int) -> None:
        start.wait()
        codes[number] = _code(action, store, number)

    threads = [threading.Thread(target=race, args=(number,)) for number in range(racers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return codes


def _in_processes(racers: int, store: Store, action: Action) -> list[int]:
    start = _FORK.Barrier(racers)

    def race(number: int) -> None:
        start.wait()
        sys.exit(_code(action, store, number))

    processes = [_FORK.Process(target=race, args=(number,)) for number in range(racers)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(_PATIENCE)
        if process.exitcode is None:
            process.kill()
    return [process.exitcode if process.exitcode is not None else -1 for process in processes]
