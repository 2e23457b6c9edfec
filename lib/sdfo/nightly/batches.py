"""How a run's exams are cut into engine jobs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256

from sdfo.model import ExamTask


def batches(tasks: Sequence[ExamTask], most: float) -> Iterator[tuple[str, list[ExamTask]]]:
    """Exams, largest first, in batches of at most `most` bytes (one larger exam alone), each with a name of its content.

    A repeated convert meets the same names and leaves out what is done; a new scan of the run gives new ones.
    """
    return ((_name(batch), batch) for batch in cut(sorted(tasks, key=lambda t: (-t.size, t.folder)), most))


def cut(tasks: Iterable[ExamTask], most: float) -> Iterator[list[ExamTask]]:
    """Exams in their order, in pieces of at most `most` bytes; one that is larger is alone."""
    piece, size = list[ExamTask](), 0
    for task in tasks:
        if piece and size + task.size > most:
            yield piece
            piece, size = [], 0
        piece.append(task)
        size += task.size
    if piece:
        yield piece


def _name(batch: Sequence[ExamTask]) -> str:
    return sha256(repr(batch).encode()).hexdigest()[:32]
