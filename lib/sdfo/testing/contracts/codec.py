"""What `sdfo.jpeg2000.Codec` promises, as tests. To run them on a codec:

class TestMyCodec(CodecContract):
    @pytest.fixture
    def codec(self): return open_codec("mine")

The test files' conftest must call `pytest.register_assert_rewrite("sdfo.testing.contracts")` before they are imported.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from sdfo.errors import CodecError
from sdfo.jpeg2000 import Codec, Encoded, Image, Mask, cut, decode, judge
from sdfo.testing.images import disc, image, opposed

Decoder = Callable[[bytes], Image]
DECODERS: tuple[Decoder, ...] = (decode, judge)
"""Two that share no code."""


def assert_same(found: Image, expected: Image) -> None:
    """Samples, precision, sign and colour; the type of the samples is the narrowest."""
    assert (found.precision, found.signed, found.rgb) == (expected.precision, expected.signed, expected.rgb)
    assert found.samples.dtype == expected.stored().dtype
    assert np.array_equal(found.samples, expected.stored())


def assert_kept(codec: Codec, given: Image, region: Mask | None = None) -> Encoded | None:
    """Both decoders give it back, from the first layer on the region; or the codec refused it: None."""
    try:
        encoded = codec.encode(given, region)
    except CodecError:
        return None
    for each in DECODERS:
        assert_same(each(encoded.codestream), given)
        if region is not None:
            for count in range(1, len(encoded.layers) + 1):
                prefix = each(cut(encoded.codestream[: encoded.layers[count - 1]], encoded.layers, count))
                assert np.array_equal(prefix.samples[region], given.samples[region])
    return encoded


class CodecContract(ABC):
    @pytest.fixture
    @abstractmethod
    def codec(self) -> Codec:
        """The codec under test."""

    @pytest.mark.parametrize("precision", range(1, 17))
    def test_every_precision(self, codec: Codec, precision: int) -> None:
        """Signed and unsigned, gray and RGB: exact in both decoders. Images as scanners give them are not refused."""
        for signed in (False, True):
            for rgb in (False, True):
                given = image((37, 29), precision, signed=signed, rgb=rgb)
                assert assert_kept(codec, given, disc((37, 29), 0.5, 0.5, 5)), "refused"

    def test_noise_and_extremes(self, codec: Codec) -> None:
        """Exact in both decoders, or refused."""
        for precision, rgb in ((1, True), (2, True), (8, False), (12, False), (16, False)):
            for kind in ("noise", "extremes"):
                given = image((70, 70), precision, signed=not rgb, rgb=rgb, kind=kind)
                assert_kept(codec, given, disc((70, 70), 0, 0, 9))

    def test_colours_that_differ_most(self, codec: Codec) -> None:
        """Exact in both decoders, or refused: their differences are two bits wider than the samples."""
        for size in ((5, 4), (16, 16), (37, 29)):
            for precision in (5, 8, 16):
                for signed in (False, True):
                    assert_kept(codec, opposed(size, precision, signed=signed))

    @pytest.mark.parametrize("size", [(1, 1), (1, 2), (2, 1), (3, 1), (1, 64), (65, 1), (2, 2), (5, 4), (7, 129)])
    def test_small_and_odd(self, codec: Codec, size: tuple[int, int]) -> None:
        """Down to a pixel."""
        for rgb in (False, True):
            assert assert_kept(codec, image(size, 12, rgb=rgb), disc(size, 0.5, 0.5, 1))

    def test_three_components_that_are_no_colours(self, codec: Codec) -> None:
        """They are not decorrelated."""
        given = image((30, 20), 8, rgb=True, kind="noise")
        assert assert_kept(codec, Image(given.samples, 8, signed=False), disc((30, 20), 0.5, 0.5, 4))

    def test_the_image_is_left_alone(self, codec: Codec) -> None:
        """Read only, of another type, with gaps: it is neither changed nor refused, and the bytes are the same."""
        given = image((40, 40), 10)
        wide = np.zeros((80, 80), ">u2")
        wide[::2, ::2] = given.samples
        apart = Image(wide[::2, ::2], 10, signed=False)
        apart.samples.flags.writeable = False
        region = disc((40, 40), 0.5, 0.5, 5)
        assert codec.encode(apart, region).codestream == codec.encode(given, region).codestream

    def test_layers(self, codec: Codec) -> None:
        """They grow, and the last one has all."""
        encoded = codec.encode(image((64, 64), 12), disc((64, 64), 0.5, 0.5, 5))
        assert list(encoded.layers) == sorted(set(encoded.layers))
        assert encoded.layers[-1:] in ((), (len(encoded.codestream),))

    @pytest.mark.parametrize(
        "bad",
        [
            Image(np.full((4, 4), 256), 8, signed=False),
            Image(np.full((4, 4), -1), 8, signed=False),
            Image(np.full((4, 4), 128), 8, signed=True),
            Image(np.full((4, 4), 0), 0, signed=False),
            Image(np.full((4, 4), 0), 17, signed=False),
            Image(np.zeros((4, 4), np.float32), 8, signed=False),
            Image(np.zeros((0, 4), np.uint8), 8, signed=False),
            Image(np.zeros((4, 65536), np.uint8), 8, signed=False),
            Image(np.zeros(4, np.uint8), 8, signed=False),
            Image(np.zeros((4, 4, 2), np.uint8), 8, signed=False),
            Image(np.zeros((4, 4), np.uint8), 8, signed=False, rgb=True),
        ],
        ids=["above", "below", "above signed", "0 bits", "17 bits", "float", "empty", "wide", "1 axis", "2", "no rgb"],
    )
    def test_what_no_codestream_can_say(self, codec: Codec, bad: Image) -> None:
        """Refused before anything is lost: no sample is clipped."""
        with pytest.raises(CodecError):
            codec.encode(bad)

    def test_two_threads(self, codec: Codec) -> None:
        """They get the same bytes as one after the other."""
        given = [image((96, 96), 12, kind="noise", seed=seed) for seed in range(8)]
        region = disc((96, 96), 0.3, 0.3, 12)
        with ThreadPoolExecutor(2) as pool:
            together = list(pool.map(lambda each: codec.encode(each, region), given))
        assert together == [codec.encode(each, region) for each in given]

    def test_region(self, codec: Codec) -> None:
        """Whoever takes a region wants one of the image's size, with a pixel at least."""
        if codec.takes_region:
            for bad in (np.ones((4, 5), bool), np.ones((4, 4), int), np.zeros((4, 4), bool)):
                with pytest.raises(CodecError):
                    codec.encode(image((4, 4), 8), bad)
