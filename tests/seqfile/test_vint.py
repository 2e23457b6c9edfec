"""WritableUtils' numbers: known encodings, and the law that reading gives back what was written."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sdfo.seqfile import decode_vint, encode_vint, text
from sdfo.seqfile.vint import vint_size

KNOWN = {  # by the rules in the documentation of org.apache.hadoop.io.WritableUtils.writeVLong
    0: "00",
    127: "7f",
    -1: "ff",
    -112: "90",
    128: "8f80",
    255: "8fff",
    256: "8e0100",
    -113: "8770",
    -256: "87ff",
    -257: "860100",
    2**31 - 1: "8c7fffffff",
    -(2**31): "847fffffff",
    2**63 - 1: "887fffffffffffffff",
    -(2**63): "807fffffffffffffff",
}


@pytest.mark.parametrize(("number", "encoded"), KNOWN.items())
def test_known_encodings(number: int, encoded: str) -> None:
    """Each length and both signs, as Hadoop's rule gives them."""
    assert encode_vint(number).hex() == encoded
    assert decode_vint(bytes.fromhex(encoded)) == (number, len(encoded) // 2)


@given(st.integers(-(2**63), 2**63 - 1), st.binary(max_size=3), st.binary(max_size=3))
@example(2**63 - 1, b"", b"")
def test_a_number_reads_back(number: int, before: bytes, after: bytes) -> None:
    """Any 64-bit number, wherever it stands; its first byte tells its size."""
    encoded = encode_vint(number)
    assert decode_vint(before + encoded + after, len(before)) == (number, len(before) + len(encoded))
    assert vint_size(encoded[0]) == len(encoded)


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1])
def test_more_than_64_bits_is_refused(number: int) -> None:
    with pytest.raises(OverflowError):
        encode_vint(number)


@given(st.integers(-(2**63), 2**63 - 1))
def test_a_cut_number_is_refused(number: int) -> None:
    """No prefix of an encoding is taken for a number."""
    encoded = encode_vint(number)
    for cut in range(len(encoded)):
        with pytest.raises(IndexError):
            decode_vint(encoded[:cut])


def test_text_is_length_and_bytes() -> None:
    """The length counts bytes, not characters."""
    assert text("é".encode()) == b"\x02\xc3\xa9"
    assert text(b"x" * 200)[:2].hex() == "8fc8"
