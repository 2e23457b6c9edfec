"""Work done ahead: in order, bounded, and over when the consumer is."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdfo.ahead import ahead


@given(st.lists(st.integers(), max_size=40), st.integers(1, 4))
def test_results_come_in_the_order_of_the_items(items: list[int], threads: int) -> None:
    """Whatever the number of threads, the answer is that of `map`."""
    with ahead(str, items, threads) as results:
        assert list(results) == list(map(str, items))


def test_a_slow_first_item_keeps_its_place() -> None:
    """Later items are done before it, and wait."""
    with ahead(lambda seconds: time.sleep(seconds) or seconds, [0.05, 0, 0, 0], 3) as results:
        assert list(results) == [0.05, 0, 0, 0]


@pytest.mark.parametrize("threads", [2, 3])
def test_items_are_taken_a_bounded_way_ahead(threads: int) -> None:
    """2 × threads items at most: what they hold is in memory."""
    taken = list[int]()

    def items() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    with ahead(lambda number: number, items(), threads) as results:
        for done, _ in enumerate(results, 1):
            assert len(taken) <= done + 2 * threads


def test_one_thread_is_the_caller_and_works_when_asked() -> None:
    """No thread is started: engines that have a process for each core ask for none."""
    ran = list[threading.Thread]()
    with ahead(lambda _: ran.append(threading.current_thread()), range(5), 1) as results:
        next(results)
        assert ran == [threading.current_thread()]


def test_an_error_comes_in_its_turn() -> None:
    """What was asked for before it is delivered first."""

    def work(number: int) -> int:
        return 6 // number

    with ahead(work, [1, 2, 0, 3], 2) as results:
        assert [next(results), next(results)] == [6, 3]
        with pytest.raises(ZeroDivisionError):
            next(results)


def test_leaving_the_block_ends_the_work() -> None:
    """No thread is left, and what had not begun is not done."""
    done = list[int]()
    before = threading.active_count()
    with ahead(lambda n: time.sleep(0.02) or done.append(n), range(1000), 2) as results:
        next(results)
    assert threading.active_count() == before
    assert len(done) < 10
