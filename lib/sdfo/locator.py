"""SDFO Locator: where the copies of a file lie, cheapest first. It answers from the catalog and opens no file."""

from __future__ import annotations

from itertools import groupby

from sdfo.catalog import Catalog
from sdfo.errors import NotFound
from sdfo.model import Location, Tier

_COST = {tier: cost for cost, tier in enumerate(Tier)}


class Locator:
    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog

    def copies(self, uid: str) -> list[Location]:
        """Every copy of every file of a study, series or SOP instance, cheapest tier first; `NotFound` if none."""
        found = sorted(self.catalog.locate(uid), key=_cost)
        if not found:
            raise NotFound(f"nothing is known of UID {uid}", next_command="sdfo find …, or sdfo scan if it is new")
        return found

    def files(self, uid: str) -> list[tuple[Location, ...]]:
        """The files of a study, series or SOP instance, by folder and name: of each, its copies, cheapest first.

        A file that was archived again under its name, changed, is its newest record; older ones are by `version`.
        """
        current = sorted((c for c in self.copies(uid) if c.version == 0), key=_file)
        return [tuple(sorted(copies, key=_cost)) for _, copies in groupby(current, key=_file)]


def _cost(location: Location) -> int:
    return _COST[location.tier]


def _file(location: Location) -> tuple[bytes, bytes]:
    return location.folder, location.name
