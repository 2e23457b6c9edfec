"""What a walk found out about a file, piece by piece; of a damaged file, as much as it got to."""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import unpack

from sdfo.dicom.elements import EXPLICIT_LITTLE, Coding
from sdfo.dicom.filemeta import FileMeta, text_of
from sdfo.dicom.nested import Element
from sdfo.dicom.vr import (
    BITS_ALLOCATED,
    COLUMNS,
    EXTENDED_LENGTHS,
    EXTENDED_OFFSETS,
    FRAME_COUNT,
    PHOTOMETRIC,
    PIXEL_PROVIDER,
    PIXEL_TAGS,
    ROWS,
    SAMPLES,
    SERIES,
    SOP_CLASS,
    SOP_INSTANCE,
    STUDY,
    STUDY_DATE,
    TRANSFER_SYNTAX,
    tag_text,
)
from sdfo.dicom.window import Window
from sdfo.errors import DicomError
from sdfo.model import Extent

TEXTS = frozenset((SOP_CLASS, SOP_INSTANCE, STUDY_DATE, STUDY, SERIES, PHOTOMETRIC, FRAME_COUNT))
NUMBERS = frozenset((SAMPLES, ROWS, COLUMNS, BITS_ALLOCATED))
NOTED = frozenset((EXTENDED_OFFSETS, EXTENDED_LENGTHS, PIXEL_PROVIDER))

VALUE_MAX = 130
"""Bytes read of a value: what `text_of` keeps, and two of padding."""


@dataclass(slots=True)
class Facts:
    meta: FileMeta = field(default_factory=FileMeta)
    coding: Coding = EXPLICIT_LITTLE
    texts: dict[int, str] = field(default_factory=dict)
    numbers: dict[int, int] = field(default_factory=dict)
    places: dict[int, Extent] = field(default_factory=dict)
    """Where the values of every wanted tag lie, in the data set's source."""
    pixels: Element | None = None
    fragments: list[Extent] | None = None
    deflated: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def transfer_syntax(self) -> str | None:
        return self.meta.values.get(TRANSFER_SYNTAX) or None

    def take(self, element: Element, window: Window) -> None:
        """Keep what `element` says, if a question hangs on it."""
        tag, _, value, length = element
        self.places[tag] = Extent(value, length)
        if tag in TEXTS:
            self.texts[tag] = text_of(window.bytes(value, min(length, VALUE_MAX)))
        elif tag in NUMBERS and length == 2:
            (self.numbers[tag],) = unpack(f"{self.coding.order}H", window.bytes(value, 2))
        elif tag in PIXEL_TAGS:
            if self.pixels is not None:
                raise DicomError(f"a second pixel data element, {tag_text(tag)}", offset=value)
            self.pixels = element
