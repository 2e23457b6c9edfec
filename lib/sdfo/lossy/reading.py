"""Lossy second objects read again: of a file with a near-line copy, by that copy's path alone."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from sdfo.errors import Missing, NotFound, SdicomError
from sdfo.lossy.places import derived_path
from sdfo.model import Location, Tier
from sdfo.sdicom import LastPart, escape_name
from sdfo.stores import Store


class LossyFiles(LastPart):
    """Files one after the other; the last file of lossy objects stays open. For one thread."""

    def __init__(self, nearline: Store) -> None:
        super().__init__()
        self._nearline = nearline

    def of(self, copies: Sequence[Location]) -> bytes | None:
        """The lossy object made of a file that has these copies; None if there is none.

        `FormatError` if it is damaged, or those of another exam lie in the place.
        """
        for location in copies:
            if location.tier is Tier.NEARLINE and location.path is not None and location.path.endswith(".sdicom"):
                return self._made(location, derived_path(location.path))
        return None

    def _made(self, location: Location, path: str) -> bytes | None:
        with suppress(Missing, NotFound):
            part = self.opened(self._nearline, path)
            if (part.study, part.folder) != (location.study, location.folder):
                raise SdicomError("lossy objects of another exam lie in the place of this one's", path=part.path)
            return part.value(part.by_name(escape_name(location.name)))
        return None
