"""Every codec of the table gives back what it was given, to two decoders that share no code."""

from __future__ import annotations

import numpy as np
import pytest

from sdfo.jpeg2000 import CODECS, Image, decode, open_codec
from sdfo.jpeg2000.decoding import judge


@pytest.mark.parametrize("name", CODECS)
def test_twice_decoded(name: str) -> None:
    """12 bits in 16, unsigned, noise: the hardest for a codec to make shorter."""
    samples = np.random.default_rng(1).integers(0, 4096, (37, 53)).astype(np.uint16)
    codestream = open_codec(name).encode(Image(samples, 12, signed=False)).codestream
    assert np.array_equal(decode(codestream).samples, samples)
    assert np.array_equal(judge(codestream).samples, samples)
