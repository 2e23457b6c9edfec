"""The codestream's reader and its cut. Any bytes may come in."""

from __future__ import annotations

import time
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdfo.errors import CodecError
from sdfo.jpeg2000 import Encoded, cut, decode, judge, open_codec
from sdfo.jpeg2000 import codestream as structure
from sdfo.jpeg2000.codestream import Declared
from sdfo.testing.images import disc, image

SIZE = (96, 80)
REGION = disc(SIZE, 0.4, 0.4, 9)
GIVEN = image(SIZE, 12)
FULL = open_codec("j2k-roi").encode(GIVEN, REGION)
OTHERS = (
    open_codec("j2k-roi").encode(image((40, 41), 10, rgb=True, kind="noise"), disc((40, 41), 0.5, 0.5, 6)).codestream,
    open_codec("htj2k").encode(image((20, 21), 12, signed=True)).codestream,
)


def _all_readers(data: bytes, layers: tuple[int, ...]) -> None:
    for read in (
        lambda: structure.check_whole(data),
        lambda: structure.layer_ends(data),
        lambda: (structure.read(data).shifts, structure.read(data).quantizations),
        lambda: structure.declare(structure.read(data), Declared(12, True, True, 3)),
        lambda: cut(data, layers, 1),
        lambda: cut(data, layers, len(layers)),
    ):
        with suppress(CodecError):
            read()


@given(data=st.binary(max_size=80), seed=st.integers(0, 1 << 30), number=st.integers(0, 2), flips=st.integers(1, 4))
def test_any_bytes(data, seed, number, flips):
    """Read, or refused by a CodecError: noise, changed bytes and cut files end in nothing else."""
    whole = (FULL.codestream, *OTHERS)[number]
    random = np.random.default_rng(seed)
    changed = bytearray(whole)
    head = structure.read(whole).end + 60
    for _ in range(flips):
        changed[random.integers(0, head if seed % 2 else len(whole))] = random.integers(0, 256)
    for bad in (data, whole[:2] + data, bytes(changed), whole[: random.integers(0, len(whole))]):
        _all_readers(bad, FULL.layers)


@given(layers=st.lists(st.integers(-9, 1 << 40), max_size=5), count=st.integers(-2, 6), held=st.integers(0, 9999))
def test_any_layers(layers, count, held):
    """What an index says of layers is compared with the codestream itself."""
    told, data = tuple(layers), FULL.codestream[:held]
    if told != FULL.layers:
        with suppress(CodecError):
            assert cut(data, told, count) == data[: told[-1]]  # all of it, as far as the index knows


def test_header():
    """What the codec was told is what stands in it."""
    header = structure.read(FULL.codestream)
    assert (header.size.rows, header.size.columns, header.size.components) == (*SIZE, ((12, False),))
    assert header.coding.layers == len(FULL.layers) == 4
    assert [shift.component for shift in header.shifts] == [0]
    assert [shift.component for shift in structure.read(OTHERS[0]).shifts] == [0, 1, 2]
    assert structure.read(OTHERS[0]).coding.transformed
    assert structure.read(OTHERS[1]).high_throughput
    assert not header.high_throughput


def test_no_decoder_needs_more_than_31_planes():
    """Guard bits, exponents and shift together."""
    for data in (FULL.codestream, OTHERS[0]):
        header = structure.read(data)
        (shift,) = {each.by for each in header.shifts}
        for each in header.quantizations:
            assert each.guard + max(each.exponents) + shift - 1 <= 31
    with pytest.raises(CodecError, match="bit-planes"):
        structure.declare(structure.read(FULL.codestream), Declared(12, False, shift=25))


def test_every_prefix():
    """It decodes in both decoders from its own bytes alone, with fewer layers, and the region is exact."""
    for count in range(1, len(FULL.layers) + 1):
        prefix = cut(FULL.codestream[: FULL.layers[count - 1]], FULL.layers, count)
        assert structure.read(prefix).coding.layers == count
        for decoder in (decode, judge):
            found = decoder(prefix).samples
            assert np.array_equal(found[REGION], GIVEN.samples[REGION])
            assert np.array_equal(found, GIVEN.samples) == (count == len(FULL.layers))
    assert cut(FULL.codestream, FULL.layers, 4) == FULL.codestream


def test_one_byte_too_few():
    """The bytes of a layer must all be there; no layer, or one too many, there is none."""
    for count, end in enumerate(FULL.layers, 1):
        with pytest.raises(CodecError, match="too few bytes"):
            cut(FULL.codestream[: end - 1], FULL.layers, count)
    for count in (-1, 0, 5):
        with pytest.raises(CodecError, match="no such layer"):
            cut(FULL.codestream, FULL.layers, count)


def test_layers_that_are_not_the_codestreams():
    """They would cut within a packet."""
    first, *rest = FULL.layers
    with pytest.raises(CodecError, match="do not end there"):
        cut(FULL.codestream, (first + 1, *rest), 1)


def test_cut_takes_a_millisecond():
    """At most, of a large image too: it patches two markers."""
    given, region = image((512, 512), 12, kind="noise"), disc((512, 512), 0.5, 0.5, 99)
    encoded = open_codec("j2k-roi").encode(given, region)
    times = []
    for _ in range(20):
        begin = time.perf_counter()
        cut(encoded.codestream, encoded.layers, 1)
        times.append(time.perf_counter() - begin)
    assert min(times) < 0.001


@pytest.mark.parametrize("data", [FULL.codestream, *OTHERS], ids=["roi", "rgb", "htj2k"])
def test_a_cut_file_is_refused(data):
    """By both decoders, wherever it ends: they would guess the rest. One byte of padding may follow."""
    for end in (*range(0, len(data) - 2, 37), len(data) - 2, len(data) - 1):
        for decoder in (decode, judge):
            with pytest.raises(CodecError):
                decoder(data[:end])
    assert np.array_equal(decode(data + b"\0").samples, decode(data).samples)
    for more in (b"\0\0", b"\1"):
        with pytest.raises(CodecError, match="after"):
            decode(data + more)


@given(seed=st.integers(0, 1 << 30), flips=st.integers(1, 3), number=st.integers(0, 2))
def test_changed_bytes_do_not_harm_the_decoders(seed, flips, number):
    """An image, or a CodecError: no crash and no other exception. Subsampled components are one."""
    random, changed = np.random.default_rng(seed), bytearray((FULL.codestream, *OTHERS)[number])
    for _ in range(flips):
        changed[random.integers(0, 200 if seed % 2 else len(changed))] = random.integers(0, 256)
    for decoder in (decode, judge):
        with suppress(CodecError):
            decoder(bytes(changed))


def test_subsampled_components():
    """Refused, whatever the library calls it."""
    changed = bytearray(OTHERS[0])
    changed[46] = 2  # YRsiz of the second component
    with pytest.raises(CodecError):
        decode(bytes(changed))


def test_lengths_of_packets():
    """Of one byte or five; in as many PLT as it takes."""
    packets = [bytes(length) for length in (1, 127, 128, 16383, 16384, 2097152)] + [b"\0"] * 70000
    main = FULL.codestream[: structure.read(FULL.codestream).end]
    part = structure.tile_part(structure.with_packets(main, packets), len(main))
    assert part.packets == tuple(map(len, packets))


def test_no_layer_without_a_bit_of_order():
    """Several tile-parts or another progression: there is no prefix to cut."""
    plain = open_codec("j2k").encode(GIVEN).codestream
    for bad in (plain, plain.replace(b"\xff\x52\x00\x0c\x00\x00", b"\xff\x52\x00\x0c\x00\x02")):
        with pytest.raises(CodecError):
            structure.layer_ends(bad)


def test_encoded_is_a_value():
    """Equal images make equal bytes."""
    assert open_codec("j2k-roi").encode(GIVEN, REGION) == Encoded(FULL.codestream, FULL.layers)
