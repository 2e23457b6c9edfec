"""A data set's top level, front to back: what `examine` proves and `select` looks things up in."""

from __future__ import annotations

from collections.abc import Container, Iterator

from sdfo.dicom.elements import ALL, Coding, Run, Why
from sdfo.dicom.nested import Element, broken, fragments, holds_fragments, sequence_end
from sdfo.dicom.vr import PIXEL_TAGS, UNDEFINED
from sdfo.dicom.window import WINDOW, Window
from sdfo.model import Extent


class Walk:
    """Goes from `at` to the end of the source at most."""

    def __init__(self, window: Window, at: int, coding: Coding) -> None:
        self.at = at
        """The next header; after `finish` the end of the last element."""
        self.surplus = 0
        """Zero bytes after the last element; `finish` counts them."""
        self.fragments: list[Extent] | None = None
        """The items of the last encapsulated pixel data met, its offset table first."""
        self._window, self._end, self._coding = window, window.size, coding
        self._stopped: tuple[Run, int] | None = None

    def elements(self, wanted: Container[int], until: int = ALL, prove: bool = True) -> Iterator[Element]:
        """The wanted ones, in the file's order; ends before the first tag above `until` and at what is no element.

        The length is that of the value, also where the file leaves it undefined; the value of encapsulated pixel data
        ends before its delimiter. Sequences and values of undefined length are walked to their last byte (`DicomError`
        if they are not whole); without `prove` those of a defined length are taken at their word.
        """
        window, end, coding = self._window, self._end, self._coding
        while self.at < end:
            window.hold(self.at)
            base, began = window.base, self.at
            run = coding.run(window.data, began - base, end - base, wanted, until)
            self.at = base + run.at
            window.charge(run.passed)
            for tag, vr, value, length in run.found:
                yield Element(tag, vr, base + value, length)
            if run.why is Why.CONTAINER:
                whole = self._through(Element(run.tag, run.vr, base + run.value, run.length), prove)
                if whole.tag in wanted:
                    yield whole
            elif run.why is not Why.EDGE or self.at == began:
                self._stopped = run, base
                return

    def _through(self, element: Element, prove: bool) -> Element:
        """Steps over a container; returns it with the length that it has."""
        value, end, coding = element.value, self._end, self._coding
        if element.length == UNDEFINED and holds_fragments(element, coding):
            items, delimiter = fragments(self._window, value, end, coding)
            if element.tag in PIXEL_TAGS:
                self.fragments = items
            self.at = delimiter + 8
            return element._replace(length=delimiter - value)
        if prove or element.length == UNDEFINED or element.length > end - value:
            self.at = sequence_end(self._window, element, coding, end)
        else:
            self.at = value + element.length
        return element._replace(length=self.at - value)

    def finish(self) -> None:
        """`DicomError` unless the walk went through to the end, zero bytes after the last element apart."""
        if self._stopped is None or self._stopped[0].why is Why.PAST:
            return
        if not self._only_zeros():
            raise broken(*self._stopped, self._end)
        self.surplus = self._end - self.at

    def _only_zeros(self) -> bool:
        for at in range(self.at, self._end, WINDOW):
            if self._window.bytes(at, min(WINDOW, self._end - at)).strip(b"\0"):
                return False
        return True
