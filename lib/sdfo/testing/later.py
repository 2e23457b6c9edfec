"""python -m sdfo.testing.later DAYS: so many days go by for the catalog of SDFO_CONF, without a faked clock.

Every moment in it goes back by that much, and what the gate remembers of the clock, there and on HDFS, with it. The journal and
the files keep their times. Only for a catalog that is a demonstration's: SQLite, in a folder `var` or in the one for
temporary files.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, Table, make_url, select, update

from sdfo import conf
from sdfo.catalog import tables
from sdfo.catalog.engine import Database, clock
from sdfo.catalog.freeing import CLOCK
from sdfo.catalog.types import Moment
from sdfo.conf import Settings
from sdfo.errors import SdfoError, UsageError
from sdfo.nightly.freeing.clock import LAST_RUN
from sdfo.stores import Store, open_store


def main(argv: Sequence[str] | None = None) -> int:
    """Exit 2: it is not a demonstration's catalog, and nothing is changed."""
    parser = argparse.ArgumentParser(prog="python -m sdfo.testing.later", description=__doc__)
    parser.add_argument("days", type=float, help="how many go by")
    days = parser.parse_args(argv).days
    try:
        changed = later(conf.load(Path(os.environ["SDFO_CONF"])), timedelta(days=days))
    except (SdfoError, KeyError) as error:
        print(f"later: {error}", file=sys.stderr)
        return 2
    print(f"{days:g} days go by: {changed} moments of the catalog went back")
    return 0


def later(settings: Settings, span: timedelta) -> int:
    """How many moments went back. `UsageError` for a catalog that is nobody's demonstration, or with a step at work."""
    _require_demonstration(settings.catalog.url)
    database = Database(settings.catalog.url)
    with database.write() as conn:
        _require_idle(conn)
        changed = sum(
            _shift(conn, table, column, span)
            for table in tables.metadata.sorted_tables
            for column in table.columns
            if isinstance(column.type, Moment)
        )
        _shift_clock(conn, span)
    database.close()
    _shift_last_run(open_store(settings.hdfs.root, settings.hdfs), span)
    return changed


def _require_demonstration(url: str) -> None:
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        folders = Path(str(parsed.database)).absolute().resolve().parents
        if Path(tempfile.gettempdir()).resolve() in folders or any(folder.name == "var" for folder in folders[:-2]):
            return
    raise UsageError(
        "this catalog is no demonstration's: nothing is changed",
        expected="SQLite in a folder var",
        found=f"{parsed.drivername}://…",
    )


def _require_idle(conn: Connection) -> None:
    lease = tables.lease.c
    holder = conn.execute(select(lease.run).where(lease.run != "", lease.expires > clock(conn))).scalars().first()
    if holder is not None:
        raise UsageError(f"run {holder} is at work: nothing is changed", next_command="sdfo status")


def _shift(conn: Connection, table: Table, column: Column[Any], span: timedelta) -> int:
    """Row by row: SQLite knows no calendar of ours. A demonstration's catalog is small."""
    key = list(table.primary_key.columns)
    rows = conn.execute(select(*key, column.label("moment")).where(column.is_not(None))).all()
    for row in rows:
        this = (each == value for each, value in zip(key, row, strict=False))
        conn.execute(update(table).where(*this).values({column: row.moment - span}))
    return len(rows)


def _shift_clock(conn: Connection, span: timedelta) -> None:
    """Both clocks of the gate's mark: they went on together, as they do when time goes by."""
    value = conn.execute(select(tables.gate.c.value).where(tables.gate.c.name == CLOCK)).scalar()
    if value is None:
        return
    told = json.loads(value)
    told |= {name: told[name] - span.total_seconds() for name in ("wall", "since_boot")}
    conn.execute(update(tables.gate).where(tables.gate.c.name == CLOCK).values(value=json.dumps(told)))


def _shift_last_run(store: Store, span: timedelta) -> None:
    if store.has(LAST_RUN):
        store.replace(LAST_RUN, repr(float(store.read_all(LAST_RUN)) - span.total_seconds()).encode())


if __name__ == "__main__":
    sys.exit(main())
