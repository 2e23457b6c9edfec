"""Merge keeps no head and no pixel: its memory hardly grows with the exam."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from sdfo.testing.exams import make_exam

_CONVERT = """
import re, sys
from pathlib import Path
from sdfo.converter import Desk, describe, merge
from sdfo.model import ExamTask
from sdfo.stores.local import LocalStore
from sdfo.tiers.san import San

top, folder = Path(sys.argv[1]), sys.argv[2].encode()
san = San(str(top / "san"))
task = ExamTask(1, folder, san.list(folder).files)
desk = Desk(san, LocalStore(top / "hdfs"), "site", "attempts/run", 1 << 26)
outcome = merge(task, (describe(san, folder, stamp) for stamp in task.files), desk)
status = Path("/proc/self/status").read_text()
print(sum(p.records for p in outcome.parts), re.search(r"VmHWM:\\s+(\\d+)", status)[1])
"""


def _peak(top: Path, slices: int) -> int:
    """KiB of memory at most, of a process that converts so many slices (VmHWM of proc(5))."""
    folder = top / "san" / str(slices)
    make_exam(folder, slices=slices // 2, modality="MR", seed=1, size=16, head_bytes="siemens")
    make_exam(folder, slices=slices // 2, modality="MR", seed=1, size=16, series=2)
    command = [sys.executable, "-c", _CONVERT, str(top), str(slices)]
    records, peak = map(int, subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.split())
    assert records == slices
    return peak


def test_twenty_times_the_slices_need_half_as_much_memory_more_at_most(tmp_path) -> None:
    """Half with heads of 100 KB, which are read from the files again, and half of 2 KB, which wait in the spool."""
    few, many = _peak(tmp_path, 100), _peak(tmp_path, 2000)
    print(f"{few} KiB for 100, {many} KiB for 2,000")
    assert many < 1.5 * few
