"""Codecs: one table, by the name that stands in the settings."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

from sdfo.errors import SettingsError
from sdfo.jpeg2000.image import Image, Mask

CODECS = {
    "j2k-roi": "sdfo.jpeg2000.roi:J2kRoi",
    "j2k": "sdfo.jpeg2000.lossless:J2k",
    "htj2k": "sdfo.jpeg2000.lossless:Htj2k",
}
"""Name in settings → module:class."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """`layers`: for each quality layer, the bytes from the codestream's beginning that hold it and those before it."""

    codestream: bytes
    layers: tuple[int, ...] = ()


class Codec(Protocol):
    """Encodes losslessly; `decode` gives the same samples back. For several threads. `CodecError` for what it cannot take."""

    transfer_syntax: str
    """Of DICOM, that a file with its codestreams has (PS3.5 section A.4)."""
    takes_region: bool
    """Whether `region` makes a difference."""

    def encode(self, image: Image, region: Mask | None = None) -> Encoded: ...


def open_codec(name: str) -> Codec:
    if name not in CODECS:
        raise SettingsError("no such codec", expected=", ".join(CODECS), found=name)
    module, _, kind = CODECS[name].partition(":")
    codec: Codec = getattr(import_module(module), kind)()
    return codec
