"""How a run's exams are cut into engine jobs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256

from sdfo.model import ExamTask


def batches(tasks: Sequence[ExamTask], most: float) -> Iterator[tuple[str, list[ExamTask]]]:
    """Exams, largest first, in batches of at most `most` bytes (one larger exam alone), each with a name of its content.

    A repeated convert meets the same names and leaves out what is done; a new scan of the run gives new ones.
    """
    batch, size = list[ExamTask](), 0
    for task in sorted(tasks, key=lambda t: (-t.size, t.folder)):
        if batch and size + task.size > most:
            yield _name(batch), batch
            batch, size = [], 0
        batch.append(task)
        size += task.size
    if batch:
        yield _name(batch), batch


def _name(batch: Sequence[ExamTask]) -> str:
    return sha256(repr(batch).encode()).hexdigest()[:32]
