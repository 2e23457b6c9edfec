"""How a run's exams are cut into engine jobs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Any, Protocol, TypeVar

from sdfo.model import ExamTask


class Sized(Protocol):
    @property
    def size(self) -> int: ...


T = TypeVar("T", bound=Sized)


def batches(tasks: Sequence[ExamTask], most: float) -> Iterator[tuple[str, list[ExamTask]]]:
    """Exams, largest first, in batches of at most `most` bytes (one larger exam alone), each with a name of its content.

    A repeated convert meets the same names and leaves out what is done; a new scan of the run gives new ones.
    """
    return ((name_of(batch), batch) for batch in cut(sorted(tasks, key=lambda t: (-t.size, t.folder)), most))


def cut(tasks: Iterable[T], most: float) -> Iterator[list[T]]:
    """Exams in their order, in pieces of at most `most` bytes; one that is larger is alone."""
    piece, size = list[T](), 0
    for task in tasks:
        if piece and size + task.size > most:
            yield piece
            piece, size = [], 0
        piece.append(task)
        size += task.size
    if piece:
        yield piece


def name_of(batch: Sequence[Any]) -> str:
    return sha256(repr(batch).encode()).hexdigest()[:32]
