"""Version 1 is read for ever: a file written once and kept, with what is in it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sdfo.model import Extent, Form, Kind
from sdfo.sdicom import Apart, Original, Part, Record, plan, write
from sdfo.stores.local import LocalStore

FOLDER = Path(__file__).parent / "fixtures"


def raw(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)


def fields(row: dict[str, Any]) -> dict[str, Any]:
    """A row of v1.json as the dataclass takes it."""
    original, frames, layers = row["original"], row["frames"], row["layers"]
    return row | {
        "kind": Kind(row["kind"]),
        "form": Form(row["form"]),
        "original": original and Original(**original),
        "frames": frames and tuple(tuple(Extent(*part) for part in frame) for frame in frames),
        "layers": layers and tuple(map(tuple, layers)),
    }


@pytest.fixture(scope="module")
def content() -> Any:
    return json.loads((FOLDER / "v1.json").read_text())


@pytest.fixture
def kept() -> Iterator[Part]:
    with Part.open(LocalStore(FOLDER), "v1.sdicom") as part:
        yield part


def test_todays_reader_reads_it(kept: Part, content: Any) -> None:
    """Every row, value, head, and the file apart."""
    assert (kept.study, kept.folder, kept.check_digest) == (content["study"], raw(content["folder"]), content["check"])
    assert tuple(kept.records) == tuple(Record(**fields(item["row"])) for item in content["records"])
    assert kept.aparts == tuple(Apart(**fields(item["row"])) for item in content["aparts"])
    for record, item in zip(kept.records, content["records"], strict=True):
        assert kept.value(record) == raw(item["value"])
        both = kept.head(record)
        assert (None if both is None else b"".join(both)) == raw(item["head"])
    report = kept.check(deep=True)
    assert (report.records, report.aparts, report.absent) == (len(content["records"]), len(content["aparts"]), ())


def test_todays_writer_writes_it(content: Any, store: LocalStore) -> None:
    """Byte for byte, compressed heads included, with the version of zstandard that is pinned."""
    rows, items = [Record(**fields(item["row"])) for item in content["records"]], content["records"]
    heads = (head for item in items if (head := raw(item["head"])) is not None)
    aparts = [Apart(**fields(item["row"])) for item in content["aparts"]]
    planned = plan(content["study"], raw(content["folder"]) or b"", rows, heads, aparts)
    assert planned.check == content["check"]
    with store.create("new") as sink:
        write(sink, planned, ([base64.b64decode(item["value"])] for item in items))
    assert store.read_all("new") == (FOLDER / "v1.sdicom").read_bytes()
