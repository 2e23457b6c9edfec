"""What passes between the steps of a run: frozen dataclasses in Parquet files below `runs/<run>/`.

A column per field, of the type that the field's annotation says; names of files are binary columns. Nothing is pickled.
"""

from __future__ import annotations

import enum
import io
import types
import typing
from collections.abc import Iterable
from dataclasses import asdict, fields, is_dataclass
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter

from sdfo.stores import Store

T = TypeVar("T")

_SIMPLE: dict[Any, pa.DataType] = {
    str: pa.string(),
    bytes: pa.binary(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
}


def arrow_type(annotation: Any) -> pa.DataType:
    """The Arrow type of a field: a scalar, a tuple of one type, a pair, a dataclass, or one of these or None."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return arrow_type(next(a for a in arguments if a is not type(None)))
    if origin is tuple:
        return pa.list_(arrow_type(arguments[0]))
    if is_dataclass(annotation):
        return pa.struct(_fields(annotation))
    if isinstance(annotation, type) and issubclass(annotation, enum.StrEnum):
        return pa.string()
    return _SIMPLE[annotation]


def _fields(kind: Any) -> list[pa.Field]:
    hints = typing.get_type_hints(kind)
    return [pa.field(f.name, arrow_type(hints[f.name])) for f in fields(kind)]


def write(store: Store, path: str, rows: Iterable[T], kind: type[T]) -> None:
    """Replace the manifest at `path`. A reader meets the old one, the new one, or none, never a part of one."""
    table = pa.Table.from_pylist([asdict(row) for row in rows], schema=pa.schema(_fields(kind)))  # type: ignore[call-overload]
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    store.replace(path, buffer.getvalue())


def read(store: Store, path: str, kind: type[T]) -> list[T]:
    """All rows; `Missing` if the step that writes it has not run."""
    table = pq.read_table(io.BytesIO(store.read_all(path)))
    return TypeAdapter(list[kind]).validate_python(table.to_pylist())  # type: ignore[valid-type]
