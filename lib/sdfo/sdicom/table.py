"""The index as JSON (docs/format.md): its columns, and how the writer fills them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from types import NoneType
from typing import Any

from sdfo.sdicom.record import Apart, Record

_OPTIONAL_TEXT: set[type] = {str, NoneType}
_OPTIONAL_INT: set[type] = {int, NoneType}
_OPTIONAL_LIST: set[type] = {list, NoneType}
COLUMNS: dict[str, set[type]] = {
    "name": {str},
    "kind": {str},
    "reason": _OPTIONAL_TEXT,
    "sop": _OPTIONAL_TEXT,
    "series": _OPTIONAL_TEXT,
    "sop_class": _OPTIONAL_TEXT,
    "transfer_syntax": _OPTIONAL_TEXT,
    "offset": {int},
    "length": {int},
    "form": {str},
    "sha256": {str},
    "pixels": _OPTIONAL_TEXT,
    "original": _OPTIONAL_LIST,
    "head": _OPTIONAL_INT,
    "tail": _OPTIONAL_INT,
    "frames": _OPTIONAL_LIST,
}
"""Each column's name and the types that may stand in it, in the order of the file."""
SHARED = ("series", "sop_class", "transfer_syntax")
"""Columns written as [distinct values, positions]: few values, many records."""
APART_COLUMNS = ("name", "path", *(name for name in COLUMNS if name not in ("name", "offset")))


def encode_index(records: Sequence[Record], heads: str, aparts: Sequence[Apart]) -> bytes:
    """`records` and `aparts` in order, offsets filled in; `heads` is the SHA-256 of the plain heads."""
    rows = [_cells(record) for record in records]
    table: dict[str, Any] = {name: [row[name] for row in rows] for name in COLUMNS}
    table |= {name: _shared(table[name]) for name in SHARED}
    table["heads"] = heads
    table["apart"] = [{name: cells[name] for name in APART_COLUMNS} for cells in map(_cells, aparts)]
    return json.dumps(table, separators=(",", ":")).encode("ascii")


def _cells(item: Record | Apart) -> dict[str, Any]:
    """A row's fields as JSON has them."""
    cells = {field.name: getattr(item, field.name) for field in fields(item)}
    if item.original is not None:
        cells["original"] = [item.original.length, item.original.sha256, item.original.restore]
    if item.frames is not None:
        flat = [[number for part in frame for number in (part.offset, part.length)] for frame in item.frames]
        layers = item.layers
        cells["frames"] = flat if layers is None else [[f, list(c)] for f, c in zip(flat, layers, strict=True)]
    return cells


def _shared(column: list[Any]) -> list[list[Any]]:
    """Distinct values by first appearance (null is one), and each record's position among them."""
    distinct = {value: number for number, value in enumerate(dict.fromkeys(column))}
    return [list(distinct), [distinct[value] for value in column]]
