"""docs/format.md tells the truth: its dump is a real file, its reader reads one, its keys and columns are the writer's."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sdfo import errors
from sdfo.sdicom import unescape_name
from sdfo.sdicom.layout import KEYS
from sdfo.sdicom.table import APART_COLUMNS, COLUMNS
from sdfo.stores.local import LocalStore

Make = Callable[..., Any]
_LINE = re.compile(r"([0-9a-f]{4})  ((?:[0-9a-f]{2} |'[^']*' )+) *# .+")
_TOKEN = re.compile(r"'([^']*)'|([0-9a-f]{2})")


@pytest.fixture(scope="module")
def page() -> str:
    return (Path(__file__).parents[2] / "docs" / "format.md").read_text()


def block(page: str, language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", page, re.DOTALL)
    assert found
    return found[1]


def test_the_dump_is_what_the_writer_writes(page: str, store: LocalStore, make_exam: Make, make_member: Make) -> None:
    """Byte for byte, each line at the offset it claims."""
    members = [make_member(b"a.dcm", b"HEADpixels", head=4), make_member(b"n.txt", b"a note")]
    exam = make_exam(members, study="1.2.3", folder=b"exam")
    exam.write(store)
    data = bytearray()
    for line in block(page, "dump").splitlines():
        found = _LINE.fullmatch(line)
        assert found, line
        assert int(found[1], 16) == len(data)
        for shown, digits in _TOKEN.findall(found[2]):
            data += bytes.fromhex(digits) if digits else shown.encode()
    assert bytes(data) == store.read_all(exam.path)
    assert f"{len(data):,} bytes" in page


def test_the_reader_on_the_page_reads(page: str, store: LocalStore, exam: Any, tmp_path: Path) -> None:
    """At most 25 lines of the standard library write every file under its own name, and refuse a flipped bit."""
    program = block(page, "python")
    assert len([line for line in program.splitlines() if line]) <= 25
    planned = exam.write(store)
    command = [sys.executable, "-I", "-c", program, str(tmp_path / exam.path), str(tmp_path / "out")]
    subprocess.run(command, check=True, timeout=60)
    for member in exam.members:
        name = unescape_name(member.record.name).decode("utf-8", "surrogateescape")
        assert (tmp_path / "out" / name).read_bytes() == member.value
    with (tmp_path / exam.path).open("r+b") as file:
        file.seek(len(planned.header) + planned.records[0].offset)
        file.write(b"\xff")
    refused = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert "damaged" in refused.stderr


def test_the_page_names_every_key_column_and_error(page: str) -> None:
    """In the order of the file."""
    assert re.findall(r"^\| `(sdicom[a-z.]*)` \|", page, re.MULTILINE) == list(KEYS)
    index = page.partition("## The index")[2].partition("## Names")[0]
    rows = re.findall(r"^\| ((?:`[a-z0-9_]+`(?:, )?)+) \|", index, re.MULTILINE)
    assert [name for row in rows for name in re.findall(r"`(\w+)`", row)] == list(COLUMNS)
    beside = index.partition("`apart` is a list")[2].partition("UIDs")[0]
    assert re.findall(r"`(\w+)`", beside) == list(APART_COLUMNS)
    named = re.findall(r"^\| `(\w+)` \|", page.partition("## What a reader refuses")[2], re.MULTILINE)
    assert {getattr(errors, name) for name in named} == set(errors.SdicomError.__subclasses__())
