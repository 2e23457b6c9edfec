"""Hadoop's variable-length integers and Text (org.apache.hadoop.io.WritableUtils, org.apache.hadoop.io.Text).

A number in -112 … 127 is one byte. Otherwise the first byte says sign and count of the big-endian bytes that follow:
-113 … -120 for 1 … 8 bytes of a number ≥ 0, -121 … -128 for those of a negative one, which is stored complemented.
A Text is its length in bytes as such an integer, then UTF-8.
"""

from __future__ import annotations

LONGEST = 9
"""Bytes of the longest encoding."""


def encode_vint(number: int) -> bytes:
    """WritableUtils.writeVLong; writeVInt gives the same bytes. OverflowError outside 64 bits."""
    if -112 <= number <= 127:
        return number.to_bytes(1, "big", signed=True)
    marker, number = (-112, number) if number >= 0 else (-120, ~number)
    size = (number.bit_length() + 7) // 8
    if number >> 63:
        raise OverflowError("more than 64 bits")
    return (marker - size).to_bytes(1, "big", signed=True) + number.to_bytes(size, "big")


def vint_size(first: int) -> int:
    """WritableUtils.decodeVIntSize: bytes of the encoding that begins with the byte `first` (0 … 255), itself included."""
    signed = first - 256 if first > 127 else first
    if signed >= -112:
        return 1
    return -119 - signed if signed < -120 else -111 - signed


def decode_vint(data: bytes, at: int = 0) -> tuple[int, int]:
    """WritableUtils.readVLong: the number at `at` and the position after it. IndexError if `data` ends before."""
    first = data[at]
    size = vint_size(first)
    if size == 1:
        return first - 256 if first > 127 else first, at + 1
    if at + size > len(data):
        raise IndexError("the number is cut")
    number = int.from_bytes(data[at + 1 : at + size], "big")
    return ~number if first < 136 else number, at + size  # 136 is the byte -120


def text(raw: bytes) -> bytes:
    """`raw` as a Text."""
    return encode_vint(len(raw)) + raw
