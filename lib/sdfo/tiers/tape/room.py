"""How full the staging area is, and its three marks: told of, cleared, closed."""

from __future__ import annotations

from dataclasses import dataclass

from sdfo.conf import GIB, Tape
from sdfo.stores import Store


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes used, of so many in all."""

    used: int
    total: int

    @property
    def share(self) -> float:
        return self.used / self.total if self.total else 1.0

    def plus(self, size: int) -> Room:
        return Room(self.used + size, self.total)


def room(store: Store, settings: Tape) -> Room:
    """Of `tape.capacity_gib`, by what lies there; without it, of the file system."""
    if settings.capacity_gib:
        return Room(sum(stat.size for stat in store.list()), int(settings.capacity_gib * GIB))
    free, total = store.free()
    return Room(total - free, total)
