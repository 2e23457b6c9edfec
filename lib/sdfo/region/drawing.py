"""Pictures to judge a protected region by: its outline over the image, and a sheet of a series. Numbers are all they say."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from sdfo.region.values import Mask
from sdfo.region.view import Grey

COLOUR = (255, 200, 0)
SIDE = 640
"""Pixels that a single image's longer side has at least."""
TILE = 192
"""Pixels that the longer side of an image on a sheet has."""
_CAPTION, _GAP, _ACROSS = 18, 4, 12


class Tile(NamedTuple):
    """An outlined image for a sheet, and the caption under it."""

    picture: Pillow.Image
    caption: str


def outlined(grey: Grey, mask: Mask) -> Pillow.Image:
    """The image, enlarged by a whole number if it is small, with the region's outline over it."""
    times = max(1, math.ceil(SIDE / max(mask.shape)))
    size = (mask.shape[1] * times, mask.shape[0] * times)
    return _drawn(grey, mask, size, max(1, times // 2))


def small(grey: Grey, mask: Mask) -> Pillow.Image:
    """The same at a sheet's size."""
    share = TILE / max(mask.shape)
    size = (max(1, round(mask.shape[1] * share)), max(1, round(mask.shape[0] * share)))
    return _drawn(grey, mask, size, 1)


def sheet(tiles: Sequence[Tile]) -> Pillow.Image:
    """All of them, in rows."""
    across = min(_ACROSS, math.ceil(math.sqrt(len(tiles))))
    wide, high = TILE + _GAP, TILE + _CAPTION + _GAP
    page = Pillow.new("RGB", (across * wide + _GAP, math.ceil(len(tiles) / across) * high + _GAP), (40, 40, 40))
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(12)
    for number, each in enumerate(tiles):
        left, top = _GAP + number % across * wide, _GAP + number // across * high
        inset = ((TILE - each.picture.width) // 2, (TILE - each.picture.height) // 2)
        page.paste(each.picture, (left + inset[0], top + inset[1]))
        draw.text((left + 2, top + TILE + 2), each.caption, (230, 230, 230), font)
    return page


def png(picture: Pillow.Image) -> bytes:
    written = io.BytesIO()
    picture.save(written, "PNG")
    return written.getvalue()


def _drawn(grey: Grey, mask: Mask, size: tuple[int, int], width: int) -> Pillow.Image:
    smaller = size[0] < mask.shape[1]
    resample = Pillow.Resampling.BOX if smaller else Pillow.Resampling.NEAREST
    picture = Pillow.fromarray(grey).convert("RGB").resize(size, resample)
    scaled = np.asarray(Pillow.fromarray(mask).resize(size, Pillow.Resampling.NEAREST))
    pixels = np.asarray(picture).copy()
    pixels[_outline(scaled, width)] = COLOUR
    return Pillow.fromarray(pixels)


def _outline(mask: Mask, width: int) -> Mask:
    """The region's outermost pixels, `width` deep; along the image's edge too, so that a whole image is told from none."""
    inner = np.pad(mask, 1)
    for _ in range(width):
        shrunk = inner.copy()
        for axis in (0, 1):
            for shift in (1, -1):
                shrunk &= np.roll(inner, shift, axis)
        inner = shrunk
    return mask & ~inner[1:-1, 1:-1]
