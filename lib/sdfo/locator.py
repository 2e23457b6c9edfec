"""SDFO Locator: where the copies of a file lie, cheapest first. It answers from the catalog and opens no file."""

from __future__ import annotations

from sdfo.catalog import Catalog
from sdfo.errors import NotFound
from sdfo.model import Location


class Locator:
    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog

    def copies(self, uid: str) -> list[Location]:
        """Every copy of every file of a study, series or SOP instance, in the order to try them; `NotFound` if none."""
        found = self.catalog.locate(uid)
        if not found:
            raise NotFound(f"nothing is known of UID {uid}", next_command="sdfo find …, or sdfo scan if it is new")
        return found

    def files(self, uid: str) -> list[tuple[Location, ...]]:
        """The files of a study, series or SOP instance, by folder and name: of each, its copies in the order to try.

        Of records that share a SOP Instance UID only the current one is among them.
        """
        copies: dict[tuple[bytes, bytes], list[Location]] = {}
        for location in self.copies(uid):
            if location.version == 0:
                copies.setdefault((location.folder, location.name), []).append(location)
        return [tuple(found) for _, found in sorted(copies.items())]
