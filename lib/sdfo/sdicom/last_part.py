"""Parts one after the other, of which the last one stays open: neighbouring files of an exam lie in one."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from sdfo.sdicom.part import Part
from sdfo.stores import Store


class LastPart:
    """What is opened is closed with the next one, or at the end of the `with` block. For one thread."""

    def __init__(self) -> None:
        self._last: Part | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def opened(self, store: Store, path: str) -> Part:
        """As `Part.open`; nobody else closes it."""
        if self._last is None or (self._last.store.url, self._last.path) != (store.url, path):
            self._close()
            self._last = Part.open(store, path)
        return self._last

    def _close(self) -> None:
        if self._last is not None:
            self._last.close()
        self._last = None
