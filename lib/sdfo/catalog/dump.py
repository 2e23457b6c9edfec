"""The whole catalog in one file, as it was at one moment: a ZIP, itself not compressed, with a Parquet file for each table.

    study.parquet … outcome.parquet     rows in the order of their primary keys, values as on disk (bulk.py)
    catalog.json                        the schema's version, the moment, and the rows of each table

Written front to back, so a sink that cannot seek takes it. Any program that knows the two formats reads it; both kinds of
database take it back, whichever it came from.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import zip_longest
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Connection

from sdfo.catalog import bulk, tables
from sdfo.errors import CatalogError, FormatError
from sdfo.stores import Source

VERSION = 1
CONTENTS = "catalog.json"


@dataclass(frozen=True, slots=True)
class Contents:
    """What a dump holds. `at`: the moment, ISO, by the database's clock; `schema`: the catalog's version."""

    schema: str
    at: str
    tables: dict[str, int]
    v: int = VERSION

    @property
    def moment(self) -> datetime:
        return datetime.fromisoformat(self.at)


def write(conn: Connection, at: datetime, into: BinaryIO) -> Contents:
    """Every table, as `conn` sees it, to `into`, which is told to write and nothing else."""
    counts = {}
    with zipfile.ZipFile(into, "w", zipfile.ZIP_STORED) as archive:
        for table in tables.metadata.sorted_tables:
            with archive.open(f"{table.name}.parquet", "w", force_zip64=True) as member:
                counts[table.name] = write_table(conn, table.name, member)
        contents = Contents(tables.HEAD, at.isoformat(), counts)
        archive.writestr(CONTENTS, json.dumps(asdict(contents), indent=1))
    return contents


def write_table(conn: Connection, name: str, into: Any) -> int:
    """One table as Parquet; its rows."""
    rows, table = 0, tables.metadata.tables[name]
    with pq.ParquetWriter(into, bulk.schema_of(table), compression="zstd") as writer:
        for batch in bulk.batches(conn, table):
            writer.write_batch(batch, row_group_size=bulk.ROWS)
            rows += batch.num_rows
    return rows


class Dump:
    """An open dump. `source` stays the caller's. `CatalogError` where it is none."""

    def __init__(self, source: Source) -> None:
        self.source = source
        with self._readable(), zipfile.ZipFile(_Window(source, 0, source.size)) as archive:
            self._members = {info.filename: info for info in archive.infolist()}
            self.contents = Contents(**json.loads(archive.read(CONTENTS)))
        if self.contents.v != VERSION:
            raise CatalogError(
                "the dump is of another version", path=source.path, expected=VERSION, found=self.contents.v
            )

    def schema(self, name: str) -> pa.Schema:
        with self._readable():
            return self._parquet(name).schema_arrow.remove_metadata()

    def batches(self, name: str) -> Iterator[pa.RecordBatch]:
        """The rows of a table, as they were written."""
        with self._readable():
            file = self._parquet(name)
            for number in range(file.num_row_groups):
                yield from file.read_row_group(number).combine_chunks().to_batches()

    def compare(self, conn: Connection) -> None:
        """`CatalogError` unless every row of every table is here as `conn` sees it, and no other."""
        for table in tables.metadata.sorted_tables:
            for number, (ours, kept) in enumerate(zip_longest(bulk.batches(conn, table), self.batches(table.name))):
                if ours is None or kept is None or not ours.equals(kept):
                    what = f"table {table.name} is not in the dump as in the catalog"
                    raise CatalogError(what, path=self.source.path, found=f"batch {number}")

    def _parquet(self, name: str) -> pq.ParquetFile:
        return pq.ParquetFile(self._member(f"{name}.parquet"))

    def _member(self, name: str) -> _Window:
        """A stored member lies there as it is, behind its local header (APPNOTE.TXT 4.3.7: 30 bytes, name, extra field)."""
        info = self._members[name]
        header = self.source.read(info.header_offset, 30)
        start = info.header_offset + 30 + sum(int.from_bytes(header[at : at + 2], "little") for at in (26, 28))
        return _Window(self.source, start, info.file_size)

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except (zipfile.BadZipFile, KeyError, TypeError, ValueError, OSError) as error:  # ArrowInvalid is a ValueError
            raise FormatError("this is no whole dump of a catalog", path=self.source.path) from error


class _Window(io.RawIOBase):
    """A range of a source as a file that can be read and sought in."""

    def __init__(self, source: Source, start: int, length: int) -> None:
        self._source, self._start, self._length, self._at = source, start, length, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        to = offset + (0, self._at, self._length)[whence]
        if to < 0:
            raise OSError("before the beginning")
        self._at = to
        return to

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._length - self._at)
        size = left if size < 0 else min(size, left)
        data = self._source.read(self._start + self._at, size)
        self._at += size
        return data

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)
