"""Transcoding keeps no image: its memory hardly grows with the exam."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sdfo.testing.exams import Series

_TRANSCODE = """
import re, sys
from pathlib import Path
from sdfo.sdicom import Part
from sdfo.stores.local import LocalStore
from sdfo.transcoder import Recipe, transcode

store = LocalStore(sys.argv[1])
with Part.open(store, sys.argv[2]) as part:
    done = transcode(part, store, "attempts/r", Recipe("j2k-roi", judged=0.2))
print(done.compressed, re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


def _peak(bench, slices: int) -> int:
    """KiB of memory at most, of a process that transcodes so many slices of half a MiB (VmHWM of proc(5))."""
    files = {f"{number:05}": data for number, data in enumerate(Series("CT", 5, 512).images(slices))}
    with bench.part(files) as part:
        path = part.path
    files.clear()
    command = [sys.executable, "-c", _TRANSCODE, str(bench.store.root), path]
    compressed, peak = map(int, subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.split())
    assert compressed == slices
    return peak


@pytest.mark.long
def test_ten_times_the_slices_need_a_tenth_more_memory_at_most(bench) -> None:
    """300 slices hold 150 MiB of pixels."""
    few, many = _peak(bench, 30), _peak(bench, 300)
    print(f"{few} KiB for 30, {many} KiB for 300")
    assert many < 1.1 * few
