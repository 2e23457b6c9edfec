"""The codecs of the table."""

from __future__ import annotations

import pytest

from sdfo.errors import SettingsError
from sdfo.jpeg2000 import CODECS, open_codec
from sdfo.testing.contracts.codec import CodecContract, assert_kept
from sdfo.testing.images import KINDS, image


class TestJ2k(CodecContract):
    @pytest.fixture
    def codec(self):
        return open_codec("j2k")


class TestHtj2k(CodecContract):
    @pytest.fixture
    def codec(self):
        return open_codec("htj2k")


class TestJ2kRoi(CodecContract):
    @pytest.fixture
    def codec(self):
        return open_codec("j2k-roi")


def test_every_codec_of_the_table_is_tested():
    """Add a class above for a new one."""
    assert set(CODECS) == {"j2k", "htj2k", "j2k-roi"}


def test_unknown_name():
    """The error has the names there are."""
    with pytest.raises(SettingsError, match="j2k-roi, j2k, htj2k"):
        open_codec("jpeg")


def test_few_bits():
    """Noise of one bit takes more room than it had. It is neither refused nor loses anything."""
    for precision in (1, 2, 3, 4):
        for rgb in (False, True):
            for kind in KINDS:
                assert assert_kept(open_codec("j2k"), image((128, 128), precision, rgb=rgb, kind=kind))
