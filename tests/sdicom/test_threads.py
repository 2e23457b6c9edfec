"""More threads change nothing but the time."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from sdfo.errors import SdfoError
from sdfo.sdicom import Part, plan
from sdfo.sdicom.heads import BLOCK
from sdfo.stores.local import LocalStore


def verdict(store: LocalStore, path: str, threads: int) -> str:
    """What the deep check says."""
    try:
        with Part.open(store, path) as part:
            return repr(part.check(deep=True, threads=threads))
    except SdfoError as error:
        return f"{type(error).__name__} {error}"


@pytest.mark.parametrize("damaged", [(), (-1,), (-1, -8), (-40,)])
def test_the_deep_check_finds_the_same_fault_first(
    store: LocalStore, exam: Any, tmp_path: Path, damaged: tuple[int, ...]
) -> None:
    """Of several faults the first in the file, however many threads looked."""
    planned = exam.write(store)
    with (tmp_path / exam.path).open("r+b", buffering=0) as file:
        for offset in damaged:
            byte = os.pread(file.fileno(), 1, planned.size + offset)[0]
            os.pwrite(file.fileno(), bytes([byte ^ 1]), planned.size + offset)
    one = verdict(store, exam.path, 1)
    assert one.startswith("RecordMismatch" if damaged else "CheckReport")
    assert verdict(store, exam.path, 3) == one


def test_a_plan_is_the_same_by_any_number_of_threads(make_member: Any) -> None:
    """Seven blocks of heads, compressed by one thread and by three: the same header, byte for byte."""
    size = BLOCK // 8
    members = [make_member(b"%03d" % n, os.urandom(size // 2) * 2, head=size) for n in range(50)]
    records, heads = [m.record for m in members], [m.head for m in members]
    one = plan("1.2", b"exam", records, iter(heads))
    assert plan("1.2", b"exam", records, iter(heads), (), 3) == one
    assert one.header.count(b".", one.header.index(b"sdicom.heads")) >= 6
