"""Peak memory of converting an exam: it must not grow with the exam. Each size in a process of its own.

`python -m bench.memory SETTINGS FOLDER` is that process: it prints its peak in bytes.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.place import Exam, Place
from bench.rows import Goal, Row, divided
from bench.sizes import Sizes


def rows(place: Place, sizes: Sizes) -> Iterator[Row]:
    few, many, most = (place.large_heads(count) for count in sizes.memory)
    taken = [(_peak(place, many), _peak(place, few)) for _ in range(sizes.rounds)]
    ours, reference = ([pair[side] for pair in taken] for side in (0, 1))
    name = f"peak memory, MR of {sizes.memory[1]:,} : MR of {sizes.memory[0]:,}"
    yield Row(name, "MB", ours, reference, divided(ours, reference), Goal("≤", 1.3))
    yield Row(f"peak memory, MR of {sizes.memory[2]:,}", "MB", [_peak(place, most)], goal=Goal("≤", 400))


def _peak(place: Place, exam: Exam) -> float:
    command = [sys.executable, "-m", "bench.memory", str(place.settings), exam.task.folder.decode()]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout) / 1e6


def _convert(settings: Path, name: str) -> None:
    place = Place(settings.parent)
    place.store.delete(place.converted(place.known(name)).attempt)


def _own_peak() -> int:
    """VmHWM of proc(5). Not getrusage's ru_maxrss: that begins with what the parent held when it forked."""
    found = re.search(r"^VmHWM:\s*(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


if __name__ == "__main__":
    _convert(Path(sys.argv[1]), sys.argv[2])
    print(_own_peak())
