"""How answers look: as text for a person, as one JSON document for a program."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, is_dataclass
from datetime import date, datetime
from pathlib import PurePath
from typing import Any

WIDE = 10_000
"""Columns where nobody looks at a terminal: a line stays a line, for grep."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells, as `str` shows them. `right`: heads of the columns that end flush."""

    heads: tuple[str, ...]
    rows: Sequence[Sequence[object]]
    right: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command says: `data` to a program, `text` to a person."""

    data: Any
    text: Sequence[str | Table]
    exit_code: int = 0


def answer(said: Answer, *, as_json: bool) -> None:
    """Print it on standard output. A reader that went away (`| head`) is no error of ours."""
    try:
        if as_json:
            document(said.data)
        else:
            _text(said.text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def document(data: Any) -> None:
    """One JSON document, on one line."""
    print(json.dumps(data, default=_plain))


def note(line: str) -> None:
    """A line beside the answer, on standard error."""
    print(f"sdfo: {one_line(line)}", file=sys.stderr, flush=True)


def one_line(text: str) -> str:
    """Without line breaks, colours and cursor movements that came with somebody's data."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def shown(name: bytes) -> str:
    """A name from the SAN: bytes that are no UTF-8 as `\\xNN`."""
    return name.decode("utf-8", "backslashreplace")


def moment(at: datetime | None) -> str:
    """Local time, to the second."""
    return "–" if at is None else at.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, bytes):
        return shown(value)
    raise TypeError(f"no JSON for {type(value).__name__}")


def _text(blocks: Sequence[str | Table]) -> None:
    from rich.console import Console

    console = Console(markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = WIDE
    for block in blocks:
        print(_drawn(block, console) if isinstance(block, Table) else block)


def _drawn(table: Table, console: Any) -> str:
    with console.capture() as captured:
        console.print(_rich(table))
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def _rich(table: Table) -> Any:
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    made = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for head in table.heads:
        made.add_column(head, justify="right" if head in table.right else "left", overflow="fold")
    for row in table.rows:
        made.add_row(*(Text(one_line(str(cell))) for cell in row))
    return made
