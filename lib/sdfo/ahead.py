"""Work done ahead of whoever takes its results. Reading, hashing and zstandard let go of the interpreter's lock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


@contextmanager
def ahead(work: Callable[[A], B], items: Iterable[A], threads: int) -> Iterator[Iterator[B]]:
    """`work` of each item, in their order, each raising its error when its turn comes; leaving the block ends it.

    At most 2 × `threads` items are taken before their results are. With one thread none is started: each item is
    worked on when its result is asked for.
    """
    if threads < 2:
        yield map(work, items)
        return
    pool = ThreadPoolExecutor(threads, thread_name_prefix="ahead")
    try:
        yield _in_order(pool, work, items, 2 * threads)
    finally:
        pool.shutdown(cancel_futures=True)


def _in_order(pool: ThreadPoolExecutor, work: Callable[[A], B], items: Iterable[A], most: int) -> Iterator[B]:
    begun = deque[Future[B]]()
    for item in items:
        if len(begun) == most:
            yield begun.popleft().result()
        begun.append(pool.submit(work, item))
    while begun:
        yield begun.popleft().result()
