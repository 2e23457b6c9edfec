"""Whole tables as Arrow record batches, out of a database and into one: the same batches for SQLite and PostgreSQL.

Values are those on disk (a digest is 32 bytes), times are UTC; so what one database gave, the other takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy import Connection

from sdfo.catalog.types import Moment

ROWS = 100_000
"""Rows in a batch: of the widest table some 30 MB."""

Row = tuple[Any, ...]

_MOMENT = pa.timestamp("us", tz="UTC")
_COLUMNS: dict[pa.DataType, sa.types.TypeEngine[Any]] = {
    pa.string(): sa.Text(),
    pa.binary(): sa.LargeBinary(),
    pa.int64(): sa.BigInteger(),
    pa.bool_(): sa.Boolean(),
    _MOMENT: Moment(),
}


def schema_of(table: sa.Table) -> pa.Schema:
    """The Arrow types of a table's columns."""
    return pa.schema([pa.field(column.name, _arrow_type(column.type)) for column in table.columns])


def _arrow_type(kind: sa.types.TypeEngine[Any]) -> pa.DataType:
    if isinstance(kind, Moment):
        return _MOMENT
    plain = kind.impl_instance if isinstance(kind, sa.types.TypeDecorator) else kind
    for arrow, own in _COLUMNS.items():
        if isinstance(plain, type(own)) or (arrow == pa.int64() and isinstance(plain, sa.Integer)):
            return arrow
    raise TypeError(f"no Arrow type for {kind!r}")


def batches(conn: Connection, table: sa.Table) -> Iterator[pa.RecordBatch]:
    """All rows in the order of the primary key, which both databases compare alike; each batch but the last of `ROWS`."""
    schema = schema_of(table)
    bare = _bare(table.name, schema)
    query = sa.select(bare).order_by(*(bare.c[column.name] for column in table.primary_key.columns))
    rows = conn.execute(query, execution_options={"yield_per": ROWS})
    for piece in rows.partitions():
        columns = zip(schema, zip(*piece, strict=True), strict=True)
        yield pa.RecordBatch.from_arrays([pa.array(cells, field.type) for field, cells in columns], schema=schema)


def load(conn: Connection, name: str, schema: pa.Schema, found: Iterable[pa.RecordBatch]) -> int:
    """Put batches into a table as they are; how many rows."""
    rows = 0
    for batch in found:
        load_rows(conn, name, schema, zip(*(column.to_pylist() for column in batch.columns), strict=True))
        rows += batch.num_rows
    return rows


def load_rows(conn: Connection, name: str, schema: pa.Schema, rows: Iterable[Row]) -> None:
    """The same of plain rows, as fast as the database takes them: COPY, or one prepared statement."""
    rows = _bound(conn, schema, rows)
    names = ", ".join(f'"{column}"' for column in schema.names)
    driver: Any = conn.connection.driver_connection
    if conn.dialect.name == "postgresql":
        with driver.cursor() as cursor, cursor.copy(f'COPY "{name}" ({names}) FROM STDIN') as copy:
            for row in rows:
                copy.write_row(row)
    else:
        marks = ", ".join("?" * len(schema))
        driver.executemany(f'INSERT INTO "{name}" ({names}) VALUES ({marks})', rows)


def continue_keys(conn: Connection, name: str, schema: pa.Schema) -> None:
    """Let the database give the next numbers after those that were put in by hand. SQLite does of itself."""
    if conn.dialect.name != "postgresql":
        return
    for column in (field.name for field in schema if field.type == pa.int64()):
        sequence = conn.execute(sa.select(sa.func.pg_get_serial_sequence(name, column))).scalar()
        if sequence is not None:
            highest = conn.execute(sa.select(sa.func.max(_bare(name, schema).c[column]))).scalar()
            conn.execute(sa.select(sa.func.setval(sequence, highest or 1, highest is not None)))


def _bare(name: str, schema: pa.Schema) -> sa.TableClause:
    return sa.table(name, *(sa.column(field.name, _COLUMNS[field.type]) for field in schema))


def _bound(conn: Connection, schema: pa.Schema, rows: Iterable[Row]) -> Iterable[Row]:
    """Values as the driver takes them: those of the columns that need it, changed."""
    changes = [(at, change) for at, change in enumerate(_changes(conn, schema)) if change is not None]
    if not changes:
        return rows
    return (_changed(row, changes) for row in rows)


def _changes(conn: Connection, schema: pa.Schema) -> Iterator[Any]:
    for field in schema:
        kind = _COLUMNS[field.type]
        yield (
            kind.dialect_impl(conn.dialect).bind_processor(conn.dialect)
            if field.type in (_MOMENT, pa.bool_())
            else None
        )


def _changed(row: Row, changes: Sequence[tuple[int, Any]]) -> Row:
    cells = list(row)
    for at, change in changes:
        cells[at] = change(cells[at])
    return tuple(cells)
