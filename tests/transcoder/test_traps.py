"""Every kind of native image that DICOM allows is carried, or kept and named; never shown wrong."""

from __future__ import annotations

import struct
from collections import Counter
from io import BytesIO

import numpy as np
import pydicom
import pytest
from pydicom.encaps import generate_frames
from pydicom.uid import DeflatedExplicitVRLittleEndian, RLELossless

from sdfo.dicom import MemorySource, examine
from sdfo.jpeg2000 import judge
from sdfo.model import Form
from sdfo.testing.natives import BIG, IMPLICIT, LITTLE, NativeImage, noise
from sdfo.testing.odd import encodings, surgery
from sdfo.transcoder import Recipe

GREY, COLOUR = (1, 19, 23), (1, 19, 23, 3)


def _grey(bits: int = 12, signed: bool = False, shape: tuple[int, ...] = GREY, **words: object) -> NativeImage:
    return NativeImage(noise(shape, bits, signed), bits, signed, **words)


def _colour(shape: tuple[int, ...] = COLOUR, photometric: str = "RGB", **words: object) -> NativeImage:
    return NativeImage(noise(shape, 8, False), 8, photometric=photometric, **({"allocated": 8} | words))


IMAGES = {
    "plain": _grey(),
    "signed": _grey(16, True),
    "signed, 12 of 16 bits, sign extended": _grey(12, True),
    "one bit of 8": _grey(1, allocated=8),
    "8 bits signed": _grey(8, True, allocated=8),
    "MONOCHROME1": _grey(photometric="MONOCHROME1"),
    "palette": _grey(8, photometric="PALETTE COLOR", allocated=8),
    "palette, big endian": _grey(8, photometric="PALETTE COLOR", syntax=BIG),
    "big endian": _grey(16, syntax=BIG),
    "big endian, signed": _grey(12, True, syntax=BIG),
    "big endian, 8 bits in bytes": _grey(8, allocated=8, syntax=BIG),
    "implicit": _grey(syntax=IMPLICIT),
    "implicit, signed": _grey(16, True, syntax=IMPLICIT, more={"SmallestImagePixelValue": -5}),
    "multi-frame": _grey(shape=(3, 17, 9)),
    "multi-frame, big endian": _grey(shape=(3, 17, 9), syntax=BIG),
    "odd length": _grey(8, shape=(1, 3, 5), allocated=8),
    "odd length, implicit": _grey(8, shape=(1, 3, 5), allocated=8, syntax=IMPLICIT),
    "one pixel": _grey(shape=(1, 1, 1)),
    "one row": _grey(shape=(1, 1, 31)),
    "RGB": _colour(),
    "RGB, planes": _colour(planar=True),
    "RGB, planes, multi-frame": _colour((2, 7, 5, 3), planar=True),
    "RGB, 16 bits": NativeImage(noise(COLOUR, 16, False), 16, photometric="RGB"),
    "YBR_FULL": _colour(photometric="YBR_FULL"),
    "trailing padding": _grey(more={"DataSetTrailingPadding": b"\0" * 50}),
    "trailing padding, implicit": _grey(syntax=IMPLICIT, more={"DataSetTrailingPadding": b"\0" * 50}),
}
SURPLUS = {name: IMAGES[of] for name, of in (("surplus", "plain"), ("surplus, big endian", "big endian"))}
ICONS = {"icon": None, "icon of undefined length": surgery.UNDEFINED}


def _carried() -> dict[str, tuple[NativeImage, bytes]]:
    files = {name: (image, image.file()) for name, image in IMAGES.items()}
    for name, image in SURPLUS.items():
        padded = NativeImage(
            **{each: getattr(image, each) for each in image.__slots__} | {"raw": image.value() + b"\7" * 10}
        )
        files[name] = image, padded.file()
    plain = IMAGES["plain"]
    for name, length in ICONS.items():
        files[name] = plain, surgery.before_pixels(plain.file(), encodings._icon(length))
    files["zeros after the last element"] = plain, plain.file() + bytes(22)
    return files


CARRIED = _carried()


def _resaved(data: bytes, change: object) -> bytes:
    ds = pydicom.dcmread(BytesIO(data))
    change(ds)
    written = BytesIO()
    ds.save_as(written, enforce_file_format=True)
    return written.getvalue()


def _deflate(ds: pydicom.Dataset) -> None:
    ds.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian


def _kept() -> dict[str, tuple[bytes, str]]:
    plain = IMAGES["plain"].file()
    left = NativeImage(noise(GREY, 12, False) << 4, 12, high_bit=15)
    overlay = NativeImage(noise(GREY, 16, False), 12)
    unextended = NativeImage(
        noise(GREY, 12, True), 12, True, raw=(noise(GREY, 12, True) & 0xFFF).astype("<u2").tobytes()
    )
    words = bytearray(IMAGES["big endian, 8 bits in bytes"].file())
    at = words.rindex(b"\x7f\xe0\x00\x10OB")
    words[at + 5 : at + 6] = b"W"
    halved = _colour(photometric="YBR_FULL_422", raw=bytes(19 * 23 * 2), shape=(1, 19, 23, 3))
    named = _grey(photometric="YBR_DOE^JANE")
    wide = NativeImage(noise(GREY, 16, False), 32, allocated=32)
    plain_image = IMAGES["plain"]
    twice = NativeImage(plain_image.samples, 12, raw=plain_image.value() * 2)
    return {
        "a second frame that the header does not count": (twice.file(), f"more frames than the header says, {LITTLE}"),
        "High Bit 15 of 12": (left.file(), f"High Bit not Bits Stored - 1, {LITTLE}"),
        "bits above High Bit": (overlay.file(), f"bits above High Bit in use, {LITTLE}"),
        "a sign not extended": (unextended.file(), f"bits above High Bit in use, {LITTLE}"),
        "big-endian words of two samples": (bytes(words), f"8-bit samples in big-endian words, {BIG}"),
        "shared chroma": (halved.file(), f"3 samples of YBR_FULL_422 Photometric Interpretation, {LITTLE}"),
        "a photometric interpretation of nobody's": (named.file(), f"1 samples of another Photometric Interpretation, {LITTLE}"),
        "32 bits": (wide.file(), f"Bits Allocated 32, {LITTLE}"),
        "RLE": (_resaved(plain, lambda ds: ds.compress(RLELossless)), f"encapsulated {RLELossless}"),
        "deflated": (_resaved(plain, _deflate), f"deflated {DeflatedExplicitVRLittleEndian}"),
        "no pixels": (_resaved(plain, lambda ds: ds.pop("PixelData")), "damaged"),
        "short": (IMAGES["plain"].file()[:-40], "damaged"),
        "no meta": (plain[surgery.meta_end(plain) :], "no transfer syntax named"),
        "a head too long": (surgery.before_pixels(plain, b"\x51\0\1\x10OB\0\0" + struct.pack("<L", 2**18) + bytes(2**18)),
                            f"head or tail too long, {LITTLE}"),
        "implicit under an explicit name": (plain.replace(LITTLE.encode() + b"\0", IMPLICIT.encode() + b"\0\0\0"),
                                            f"cannot be written as 1.2.840.10008.1.2.4.90, {IMPLICIT}"),
        "a note": (b"not an image", "not DICOM"),
    }  # fmt: skip


KEPT = _kept()


@pytest.fixture(scope="module", params=list(Form))
def made(request, shared_bench):
    """All of them in one part, transcoded."""
    files = {name: data for name, (_, data) in CARRIED.items()} | {name: data for name, (data, _) in KEPT.items()}
    with shared_bench.transcoded(files, Recipe("j2k", request.param)) as pair:
        yield pair


def test_what_is_kept_is_counted_and_named(made):
    """By its transfer syntax; everything else was compressed, and judged."""
    done, _ = made
    assert dict(done.kept) == Counter(reason for _, reason in KEPT.values())
    assert (done.records, done.compressed, done.judged) == (len(CARRIED) + len(KEPT), len(CARRIED), len(CARRIED))


@pytest.mark.parametrize("name", KEPT)
def test_kept_byte_for_byte(made, name):
    """Its value is the file, as it was."""
    _, part = made
    record = part.by_name(name)
    assert record.original is None
    assert part.value(record) == part.original(record) == part.stored(record) == KEPT[name][0]


@pytest.mark.parametrize("name", CARRIED)
def test_carried_restores(made, name):
    """The original comes back, byte for byte; its row says so."""
    done, part = made
    record, data = part.by_name(name), CARRIED[name][1]
    assert record.original is not None
    assert part.original(record) == data
    assert record.original.length == len(data)
    assert (record.form, record.transfer_syntax) == (done.form, "1.2.840.10008.1.2.4.90")


@pytest.mark.parametrize("name", CARRIED)
def test_carried_shows_the_image(made, name):
    """FFmpeg decodes the stored object's frames to the samples that the image was made of, and precision and sign are its."""
    _, part = made
    record, image = part.by_name(name), CARRIED[name][0]
    ds = pydicom.dcmread(BytesIO(part.stored(record)))
    frames = [judge(each) for each in generate_frames(ds.PixelData, number_of_frames=len(image.samples))]
    assert np.array_equal(np.stack([frame.samples for frame in frames]), image.samples)
    assert {(frame.precision, frame.signed) for frame in frames} == {(image.stored, image.signed)}
    assert [part.frame(record, number)[:2] for number in range(len(frames))] == [b"\xff\x4f"] * len(frames)


@pytest.mark.parametrize("name", CARRIED)
def test_carried_changes_nothing_else(made, name):
    """Every attribute is as pydicom reads it in the original, nested ones too, but for those that must change."""
    _, part = made
    stored = part.stored(part.by_name(name))
    before, after = (pydicom.dcmread(BytesIO(data)) for data in (CARRIED[name][1], stored))
    assert after.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.90"
    assert after.PhotometricInterpretation == {"RGB": "YBR_RCT"}.get(
        before.PhotometricInterpretation, before.PhotometricInterpretation
    )
    assert after.get("PlanarConfiguration", 0) == 0
    _swap_words(before)
    for ds in (before, after):
        for word in ("PixelData", "PhotometricInterpretation", "PlanarConfiguration"):
            ds.pop(word, None)
    assert after == before
    del before.file_meta.TransferSyntaxUID, after.file_meta.TransferSyntaxUID
    del before.file_meta[0x00020000], after.file_meta[0x00020000]
    assert before.file_meta == after.file_meta
    assert examine(MemorySource(stored)).notes == examine(MemorySource(CARRIED[name][1])).notes or "surplus" in name


def _swap_words(ds: pydicom.Dataset) -> None:
    """pydicom gives words of OW as they lie in the file (its values are bytes)."""
    if not ds.original_encoding[1]:
        for element in ds:
            if element.VR == "OW":
                element.value = np.frombuffer(element.value, ">u2").astype("<u2").tobytes()
