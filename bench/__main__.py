"""Runs the rows, prints the table. The exit code says nothing of the goals: a machine that others use is no judge."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from bench import backup, catalog, codecs, conversion, heads, machine, memory, reading, speedup
from bench.hadoop import clients, images, layouts, namenode, streams
from bench.hadoop.place import Hadoop, HadoopPlace
from bench.page import page
from bench.place import Place, temporary
from bench.rows import Row
from bench.sizes import QUICK, Sizes
from bench.table import as_json, table

GROUPS: dict[str, Callable[[Place, Sizes], Iterator[Row]]] = {
    "conversion": conversion.rows,
    "spark": speedup.rows,
    "reading": reading.rows,
    "heads": heads.rows,
    "memory": memory.rows,
    "codecs": codecs.rows,
    "backup": backup.rows,
    "catalog": catalog.rows,
}
ON_HADOOP: dict[str, Callable[[HadoopPlace, Sizes], Iterator[Row]]] = {
    "namenode": namenode.rows,
    "hdfs": streams.rows,
    "images": images.rows,
    "clients": clients.rows,
    "layouts": layouts.rows,
}
FOLDER = Path(__file__).parent.parent / "var"
"""On the file system of the checkout; git does not see it."""


def main(argv: Sequence[str]) -> int:
    words = _parser().parse_args(argv)
    sizes = QUICK if words.quick else Sizes()
    sizes = replace(sizes, rounds=words.rounds or sizes.rounds)
    began, rows = time.time(), list[Row]()
    words.folder.mkdir(parents=True, exist_ok=True)
    described, before = machine.described(words.folder), os.getloadavg()[0]
    with Hadoop(words.folder) as hadoop:
        for name in words.only or [*GROUPS, *ON_HADOOP]:
            for row in _rows(name, words.folder, hadoop, sizes):
                print(f"{time.time() - began:6.0f} s  {row.name}", file=sys.stderr, flush=True)
                rows.append(row)
    load = f"{before:.1f} before, {os.getloadavg()[0]:.1f} at the end"
    shown = f"{described} · {(time.time() - began) / 60:.0f} min, load {load}\n\n{table(rows)}"
    print(shown)
    if words.json:
        words.json.write_text(as_json(rows) + "\n")
    if words.markdown:
        words.markdown.write_text(page(shown, sizes, reading.IMAGES))
    return 0


def _rows(name: str, folder: Path, hadoop: Hadoop, sizes: Sizes) -> Iterator[Row]:
    """Of one group, in a place of its own."""
    with temporary(folder) as top:
        if name in ON_HADOOP:
            yield from ON_HADOOP[name](HadoopPlace(top, hadoop.cluster), sizes)
        else:
            yield from GROUPS[name](Place(top), sizes)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="One table of ratios.")
    parser.add_argument("--quick", action="store_true", help="every row in small: to see that it runs")
    parser.add_argument("--rounds", type=int, help=f"rounds of each row; default {Sizes().rounds}")
    parser.add_argument(
        "--only", action="append", choices=[*GROUPS, *ON_HADOOP], help="a group of rows; may be repeated"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="every round of every row")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="the table as a page")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where to work, in a folder that is removed after")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
