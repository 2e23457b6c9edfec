"""Lossy second objects read again: of a file with a near-line copy, by that copy's path alone."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from sdfo.errors import Missing, NotFound, SdicomError
from sdfo.lossy.places import derived_path
from sdfo.model import Location, Tier
from sdfo.sdicom import Part, escape_name
from sdfo.stores import Store


class LossyFiles:
    """Files one after the other; the last file of lossy objects stays open, for neighbours lie in one. For one thread."""

    def __init__(self, nearline: Store) -> None:
        self._nearline = nearline
        self._path: str | None = None
        self._part: Part | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def of(self, copies: Sequence[Location]) -> bytes | None:
        """The lossy object made of a file that has these copies; None if there is none.

        `FormatError` if it is damaged, or those of another exam lie in the place.
        """
        for location in copies:
            if location.tier is Tier.NEARLINE and location.path is not None and location.path.endswith(".sdicom"):
                part = self._opened(derived_path(location.path))
                if part is not None and (part.study, part.folder) != (location.study, location.folder):
                    raise SdicomError("lossy objects of another exam lie in the place of this one's", path=part.path)
                try:
                    return None if part is None else part.value(part.by_name(escape_name(location.name)))
                except NotFound:
                    return None
        return None

    def _opened(self, path: str) -> Part | None:
        """None where nothing was made of a copy."""
        if path != self._path:
            self._close()
            self._path = path
            try:
                self._part = Part.open(self._nearline, path)
            except Missing:
                self._part = None
        return self._part

    def _close(self) -> None:
        if self._part is not None:
            self._part.close()
        self._path = self._part = None
