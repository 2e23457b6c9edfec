"""The rows as a table in Markdown, which reads as well on a terminal, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from statistics import median
from typing import Any

from bench.rows import Row

_HEADINGS = ("what", "ours", "reference", "unit", "ratio", "min … max", "goal", "met", "rounds")
_LEFT = {0, 3}  # columns of words; the others are numbers


def table(rows: Sequence[Row]) -> str:
    """Medians over the rounds; the spread is that of the ratio, or of `ours` where there is none."""
    cells = [_HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(len(line[n]) for line in cells) for n in range(len(_HEADINGS))]
    rule = "|".join("-" * (w + 2) if n in _LEFT else "-" * (w + 1) + ":" for n, w in enumerate(widths))
    lines = [_line(line, widths) for line in cells]
    return "\n".join([lines[0], f"|{rule}|", *lines[1:]])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (c.ljust(w) if n in _LEFT else c.rjust(w) for n, (c, w) in enumerate(zip(cells, widths, strict=True)))
    return f"| {' | '.join(padded)} |"


def _cells(row: Row) -> tuple[str, ...]:
    judged = row.judged
    return (
        row.name,
        _number(median(row.ours)),
        _number(median(row.reference)) if row.reference else "",
        row.unit,
        _number(median(row.ratios)) if row.ratios else "",
        f"{_number(min(judged))} … {_number(max(judged))}" if len(judged) > 1 else "",
        f"{row.goal.sense} {row.goal.value:g}" if row.goal else "",
        "" if row.met is None else "yes" if row.met else "NO",
        str(len(row.ours)),
    )


def _number(value: float) -> str:
    """Three digits that count; whole numbers of more are left whole."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}" if value >= 1 else f"{value:.3f}"


def as_json(rows: Sequence[Row]) -> str:
    return json.dumps([_fields(row) for row in rows], indent=1, ensure_ascii=False)


def _fields(row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "unit": row.unit,
        "ours": list(row.ours),
        "reference": list(row.reference),
        "ratios": list(row.ratios),
        "goal": None if row.goal is None else f"{row.goal.sense} {row.goal.value:g}",
        "met": row.met,
    }
