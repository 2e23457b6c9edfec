"""SDFO Transcoder: S-DICOM → S-DICOM with another codec, every image proven before anything is written; and back."""

from __future__ import annotations

from sdfo.errors import SettingsError
from sdfo.sdicom import Part
from sdfo.stores import Store
from sdfo.transcoder.copying import copy_part
from sdfo.transcoder.recipe import Recipe, Transcoded

__all__ = ["Recipe", "Transcoded", "restore", "transcode"]


def transcode(part: Part, target: Store, attempts: str, recipe: Recipe, threads: int = 2) -> Transcoded:
    """Write `part` with the recipe's codec as an attempt below `attempts` of `target`."""
    if recipe.codec != "original":
        raise SettingsError("no such codec yet", expected="original", found=recipe.codec)
    return copy_part(part, target, attempts)


def restore(part: Part, target: Store, attempts: str, check: str, threads: int = 2) -> Transcoded:
    """Write the part that `part` was made from, whose check was `check`, as an attempt."""
    return copy_part(part, target, attempts)
