"""Small images and regions for codecs; equal arguments make equal ones."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sdfo.jpeg2000 import Image, Mask

Kind = Literal["noise", "smooth", "extremes"]
KINDS: tuple[Kind, ...] = ("noise", "smooth", "extremes")


def image(
    size: tuple[int, int],
    precision: int,
    *,
    signed: bool = False,
    rgb: bool = False,
    kind: Kind = "smooth",
    seed: int = 0,
) -> Image:
    """All values equally often; waves with a little noise, as scanners give them; or the least and the largest only."""
    random = np.random.default_rng([seed, precision, signed, rgb, *size])
    shape = (*size, 3) if rgb else size
    steps = 1 << precision
    match kind:
        case "noise":
            samples = random.integers(0, steps, shape)
        case "extremes":
            samples = random.integers(0, 2, shape) * (steps - 1)
        case "smooth":
            samples = _waves(size, steps, random)
            if rgb:
                samples = np.stack([samples, samples[::-1], samples[:, ::-1]], axis=-1)
    narrow = np.int32 if precision > 8 else np.int16
    return Image((samples - (steps // 2 if signed else 0)).astype(narrow), precision, signed, rgb)


def opposed(size: tuple[int, int], precision: int, *, signed: bool = False) -> Image:
    """Green is bright where red and blue are dark, in a pattern to which the wavelet's filters give the largest coefficients
    that there are: the differences of colours need one bit more than the samples, and these another one."""
    down, across = (np.where(np.arange(side) % 4 == 2, -1, 1) for side in size)
    most = (1 << precision) - 1
    bright = (down[:, np.newaxis] * across + 1) // 2 * most
    samples = np.stack([bright, most - bright, bright], axis=-1)
    return Image(samples - (most // 2 + 1 if signed else 0), precision, signed, rgb=True)


def _waves(size: tuple[int, int], steps: int, random: np.random.Generator) -> NDArray[np.int64]:
    down, across = np.mgrid[: size[0], : size[1]]
    waves = (np.sin(across / 9) + np.cos(down / 7)) / 4 + 0.5
    grainy: NDArray[np.int64] = np.clip(waves * steps + random.normal(0, 2, size), 0, steps - 1).astype(np.int64)
    return grainy


def disc(size: tuple[int, int], row: float, column: float, radius: float) -> Mask:
    """The pixels no farther than `radius` from a place given in shares of rows and columns: one at least."""
    down, across = np.mgrid[: size[0], : size[1]]
    far = (down - int(row * (size[0] - 1))) ** 2 + (across - int(column * (size[1] - 1))) ** 2
    mask: Mask = far <= radius**2
    return mask


def regions(size: tuple[int, int]) -> Iterator[Mask]:
    """A pixel, a disc, two discs, a half, and specks all over."""
    some = min(size) / 6
    yield disc(size, 0.9, 0.1, 0)
    yield disc(size, 0.4, 0.6, some)
    yield disc(size, 0.2, 0.2, some) | disc(size, 0.8, 0.7, some)
    yield np.arange(size[0])[:, np.newaxis] + np.zeros(size[1], int) < (size[0] + 1) // 2
    yield np.random.default_rng(size[0]).random(size) < 0.02


def grid(sizes: tuple[tuple[int, int], ...], precisions: tuple[int, ...] = tuple(range(1, 17))) -> Iterator[Image]:
    """Every precision, signed and unsigned, gray and RGB, of each size and kind."""
    for size, precision, signed, rgb, kind in product(sizes, precisions, (False, True), (False, True), KINDS):
        yield image(size, precision, signed=signed, rgb=rgb, kind=kind)
