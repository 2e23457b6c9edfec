"""Descriptions while Reduce waits for the last one: their heads on local disk, the rest in memory."""

from __future__ import annotations

from dataclasses import replace

import zstandard

from sdfo.converter.describe import SHUFFLE_MOST
from sdfo.model import Description, Extent
from sdfo.spool import Spool


class WaitingHeads:
    """Heads in a spool that is open."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._places: dict[bytes, Extent] = {}
        self._unpack = zstandard.ZstdDecompressor()

    def keep(self, d: Description) -> Description:
        """`d` without its head, which `of` gives back."""
        if d.head is None:
            return d
        self._places[d.stamp.name] = self._spool.keep(d.head)
        return replace(d, head=None)

    def of(self, d: Description) -> bytes | None:
        """Head and tail of `d`, unpacked; None if its description carried none."""
        place = self._places.get(d.stamp.name)
        return None if place is None else self._unpack.decompress(self._spool.read(place), max_output_size=SHUFFLE_MOST)
