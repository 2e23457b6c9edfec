"""The codecs of the table."""

from __future__ import annotations

import pytest

from sdfo.errors import SettingsError
from sdfo.jpeg2000 import CODECS, open_codec
from sdfo.testing.contracts.codec import CodecContract


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
