"""What every call of the catalog is made of: a transaction, and with it what the journal must have before it is committed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress

from sqlalchemy import Connection

from sdfo.catalog.engine import Database, clock
from sdfo.catalog.journal import Line, append
from sdfo.errors import CatalogError, Postponed, StoreError
from sdfo.stores import Store


class Transactions:
    def __init__(self, url: str, journal: Store | None = None) -> None:
        self.database = Database(url)
        self._journal = journal

    def upgrade(self) -> None:
        """Create the catalog, or bring it to this code's schema."""
        from sdfo.catalog.migrations import upgrade

        upgrade(self.database)

    def close(self) -> None:
        """Give back this process's connections; the next call opens new ones."""
        self.database.close()

    @contextmanager
    def _recording(self, token: int = 0, *, kept: bool = True) -> Iterator[tuple[Connection, list[Line]]]:
        """A transaction whose lines are in the journal before it is committed; unless `kept`, also if that takes none."""
        if self._journal is None:
            raise CatalogError("this catalog was opened without the store of its state journal: it can only be asked")
        with self.database.write() as conn:
            lines: list[Line] = []
            yield conn, lines
            if lines:
                with nullcontext() if kept else suppress(StoreError, Postponed):
                    append(self._journal, clock(conn), token, lines)
