"""An image at its window: black and white where the header says, whatever else it says."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom import Dataset

from sdfo.region.drawing import COLOUR, SIDE, TILE, Tile, outlined, sheet, small
from sdfo.region.view import view

RAMP = np.arange(-1024, 1024, dtype=np.int16).reshape(32, 64)


def header(**attributes) -> Dataset:
    ds = Dataset()
    facts = {"Modality": "CT", "BitsStored": 16, "BitsAllocated": 16, "PixelRepresentation": 1}
    facts |= {"PhotometricInterpretation": "MONOCHROME2", "RescaleSlope": 1, "RescaleIntercept": 0}
    for word, value in (facts | attributes).items():
        setattr(ds, word, value)
    return ds


def test_a_window():
    """Centre 40, width 80 (PS3.3 section C.11.2.1.2): black up to 0, white from 80, mid grey at 40; of several the first."""
    grey = view(header(WindowCenter=[40, 600], WindowWidth=[80, 2000]), RAMP)
    assert grey.dtype == np.uint8
    assert grey[RAMP <= 0].max() == 0
    assert grey[RAMP >= 80].min() == 255
    assert abs(int(grey[RAMP == 40][0]) - 128) <= 3


def test_monochrome1_is_inverted():
    """Its lowest value is white."""
    window = {"WindowCenter": 40, "WindowWidth": 80}
    plain = view(header(**window), RAMP)
    assert (view(header(PhotometricInterpretation="MONOCHROME1", **window), RAMP) == 255 - plain).all()


def test_a_window_is_in_real_values():
    """Slope and intercept come first."""
    grey = view(header(WindowCenter=40, WindowWidth=80, RescaleIntercept=-1024), (RAMP + 1024).astype(np.int16))
    assert (grey == view(header(WindowCenter=40, WindowWidth=80), RAMP)).all()


def test_a_voi_lut():
    """A table instead of a window."""
    item = Dataset()
    item.LUTDescriptor = [4, 0, 8]
    item.add_new("LUTData", "US", [0, 100, 200, 255])
    grey = view(header(VOILUTSequence=[item]), np.array([[-5, 0, 1, 2, 3, 9]], dtype=np.int16))
    assert grey.tolist() == [[0, 0, 100, 200, 255, 255]]


@pytest.mark.parametrize(
    "off",
    [{}, {"WindowCenter": 40}, {"WindowCenter": 40, "WindowWidth": 0}, {"WindowCenter": None, "WindowWidth": None}],
)
def test_without_a_window_all_is_shown(off):
    """Nearly all values from black to white; padding does not count."""
    samples = RAMP.copy()
    samples[0] = -30000
    grey = view(header(PixelPaddingValue=-30000, **off), samples)
    assert grey[-1].min() > 240
    assert grey[2].max() < 30


def test_a_negative_slope_without_a_window():
    """The brightest real value is white, though it is stored lowest."""
    grey = view(header(RescaleSlope=-1), RAMP)
    assert grey[0].min() > 240
    assert grey[-1].max() < 15


def test_colours_stay():
    """Of 8 bits as they are, of 16 the upper ones."""
    colours = np.random.default_rng(0).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    ds = header(PhotometricInterpretation="RGB")
    assert (view(ds, colours) == colours).all()
    assert (view(ds, colours.astype(np.uint16) << 8) == colours).all()


def test_the_outline_is_the_regions_outermost_pixels():
    """A line within the region, along the image's edge too; all else as it was."""
    mask = np.zeros((700, 700), dtype=bool)
    mask[100:200, 0:300] = True
    pixels = np.asarray(outlined(np.full(mask.shape, 90, dtype=np.uint8), mask))
    line = (pixels == COLOUR).all(axis=2)
    wanted = np.zeros_like(mask)
    wanted[[100, 199], 0:300] = wanted[100:200, [0, 299]] = True
    assert (line == wanted).all()
    assert (pixels[~line] == 90).all()


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (512, 512), (2000, 100)])
def test_pictures_of_any_size(shape):
    """Small ones are enlarged, on a sheet each has its place."""
    grey, mask = np.zeros(shape, dtype=np.uint8), np.ones(shape, dtype=bool)
    picture = outlined(grey, mask)
    assert max(picture.size) >= SIDE
    tiles = [Tile(small(grey, mask), f"{number}  100%") for number in range(5)]
    assert max(tiles[0].picture.size) == TILE
    assert sheet(tiles).width > 3 * TILE
