"""The index read back from JSON (docs/format.md).

The columns stay as the JSON parser made them, and a `Record` is built when one is asked for: opening a file of 10,000
images must not make 10,000 objects.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from operator import add
from typing import Any, overload

from sdfo.errors import HeaderMismatch
from sdfo.model import Extent, Form, Frames, Kind
from sdfo.sdicom.names import may_leave
from sdfo.sdicom.record import HEAD_LIMIT, LONGEST_FILE, TAIL_LIMIT, Apart, Layers, Original, Record, fault
from sdfo.sdicom.table import APART_COLUMNS, COLUMNS, SHARED

_KINDS, _FORMS = {kind.value: kind for kind in Kind}, {form.value: form for form in Form}


class Index(Sequence[Record]):
    """The records of one S-DICOM file, by position. `path` is for errors."""

    def __init__(self, columns: dict[str, list[Any]], heads: str, aparts: tuple[Apart, ...], path: str) -> None:
        self.columns, self.heads, self.aparts, self._path = columns, heads, aparts, path

    def __len__(self) -> int:
        return len(self.columns["name"])

    @overload
    def __getitem__(self, at: int) -> Record: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Record, ...]: ...
    def __getitem__(self, at: int | slice) -> Record | tuple[Record, ...]:
        if isinstance(at, slice):
            return tuple(self[number] for number in range(*at.indices(len(self))))
        cells = {name: column[at] for name, column in self.columns.items()}
        _decode(cells, self._path)
        return Record(**cells)

    def __iter__(self) -> Iterator[Record]:
        return (self[number] for number in range(len(self)))

    def head_sizes(self) -> Iterator[int | None]:
        for head, tail in zip(self.columns["head"], self.columns["tail"], strict=True):
            yield None if head is None or tail is None else head + tail

    def end(self) -> int:
        """Where the last value ends: the size of the file, counted from the first record."""
        return self.columns["offset"][-1] + self.columns["length"][-1] if len(self) else 0


def decode_index(raw: bytes, path: str) -> Index:
    """The index, its columns' types and lengths proven; what stands within a cell is proven when a record is built."""
    table = _parsed(raw, path)
    if list(table) != [*COLUMNS, "heads", "apart"] or not isinstance(table["heads"], str):
        raise HeaderMismatch("the index has other columns", path=path)
    heads, apart = table.pop("heads"), table.pop("apart")
    for name in SHARED:
        table[name] = _spread(table[name], path)
    count = len(table["name"]) if isinstance(table["name"], list) else -1
    for name, types in COLUMNS.items():
        column = table[name]
        if not isinstance(column, list) or len(column) != count or not set(map(type, column)) <= types:
            raise HeaderMismatch("a column of the index has another type or length", path=path, found=name)
    _check_values(table, path)
    return Index(table, heads, _decode_aparts(apart, path), path)


def _parsed(raw: bytes, path: str) -> dict[str, Any]:
    try:
        table = json.loads(raw.decode("ascii"))
    except (ValueError, RecursionError) as error:
        raise HeaderMismatch("the index is not JSON in ASCII", path=path) from error
    if not isinstance(table, dict):
        raise HeaderMismatch("the index is not a JSON object", path=path)
    return table


def _spread(pair: Any, path: str) -> list[Any]:
    """[distinct values, positions] as a plain column."""
    if isinstance(pair, list) and list(map(type, pair)) == [list, list]:
        values, positions = pair
        if set(map(type, positions)) <= {int} and min(positions, default=0) >= 0:
            try:
                return [values[position] for position in positions]
            except IndexError:
                pass
    raise HeaderMismatch("a shared column of the index is not values and positions", path=path)


def _check_values(table: dict[str, list[Any]], path: str) -> None:
    """What can be proven of whole columns at once, at the speed of C."""
    names, heads, tails = table["name"], table["head"], table["tail"]
    if not _is_unicode("".join(names)):
        raise HeaderMismatch("a name of the index is not Unicode", path=path)
    if names and may_leave(names):
        raise HeaderMismatch("a name of the index leads out of its folder", path=path)
    if len(set(names)) != len(names):
        raise HeaderMismatch("a name stands twice in the index", path=path)
    if not (set(table["kind"]) <= _KINDS.keys() and set(table["form"]) <= _FORMS.keys()):
        raise HeaderMismatch("an unknown kind or form in the index", path=path)
    ends = list(map(add, table["offset"], table["length"]))
    if min(min(table["offset"], default=0), min(table["length"], default=0)) < 0 or max(ends, default=0) > LONGEST_FILE:
        raise HeaderMismatch("an impossible place in the index", path=path)
    if max(ends, default=0) > (ends[-1] if ends else 0):
        raise HeaderMismatch("the last record of the index does not end last", path=path)
    for column, limit in ((heads, HEAD_LIMIT), (tails, TAIL_LIMIT)):
        given = [size for size in column if size is not None]
        if min(given, default=0) < 0 or max(given, default=0) > limit:
            raise HeaderMismatch("a head or tail above its limit", path=path)


def _is_unicode(text: str) -> bool:
    """Whether UTF-8 can hold it: JSON can say half a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _decode_aparts(rows: Any, path: str) -> tuple[Apart, ...]:
    if not isinstance(rows, list):
        raise HeaderMismatch("`apart` of the index is not a list", path=path)
    return tuple(_decode_apart(row, path) for row in rows)


def _decode_apart(row: Any, path: str) -> Apart:
    if not isinstance(row, dict) or tuple(row) != APART_COLUMNS:
        raise HeaderMismatch("a file apart has other columns", path=path)
    if not all(type(row[name]) in COLUMNS.get(name, {str}) for name in APART_COLUMNS):
        raise HeaderMismatch("a file apart has a value of another type", path=path)
    if not _is_unicode(row["name"]) or may_leave([row["name"]]):
        raise HeaderMismatch("a name of a file apart is none", path=path)
    if row["kind"] not in _KINDS or row["form"] not in _FORMS:
        raise HeaderMismatch("an unknown kind or form of a file apart", path=path)
    _decode(row, path)
    apart = Apart(**row)
    if problem := fault(apart):
        raise HeaderMismatch(f"a file apart: {problem}", path=path)
    return apart


def _decode(cells: dict[str, Any], path: str) -> None:
    """The reverse of `_cells`, in place, for a row whose types were proven."""
    cells["kind"], cells["form"] = _KINDS[cells["kind"]], _FORMS[cells["form"]]
    if cells["original"] is not None:
        cells["original"] = _decode_original(cells["original"], path)
    if cells["frames"] is not None:
        cells["frames"], cells["layers"] = _decode_frames(cells["frames"], path)


def _decode_original(cell: list[Any], path: str) -> Original:
    if list(map(type, cell)) != [int, str, str]:
        raise HeaderMismatch("an original is not length, digest and way back", path=path)
    return Original(*cell)


def _decode_frames(cell: list[Any], path: str) -> tuple[Frames, Layers | None]:
    layered = bool(cell) and all(isinstance(f, list) and list(map(type, f)) == [list, list] for f in cell)
    flat = [frame[0] for frame in cell] if layered else cell
    layers = tuple(tuple(frame[1]) for frame in cell) if layered else None
    for numbers in (*flat, *(layers or ())):
        if not isinstance(numbers, list | tuple) or not set(map(type, numbers)) <= {int}:
            raise HeaderMismatch("a frame is not a list of numbers", path=path)
    if any(len(numbers) % 2 for numbers in flat):
        raise HeaderMismatch("a frame has an offset without a length", path=path)
    frames = tuple(tuple(map(Extent, numbers[::2], numbers[1::2])) for numbers in flat)
    return frames, layers
