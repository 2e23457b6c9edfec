"""Files that are cut, that are no DICOM at all, and that would cost a careless reader its memory or its stack."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from random import Random

from sdfo.model import Fate, Kind
from sdfo.testing.odd import surgery
from sdfo.testing.odd.surgery import PIXELS, ROWS
from sdfo.testing.odd.tree import Builder
from sdfo.testing.shipped import shipped

_MIB = 1024 * 1024
_DEEP = 1000
_ITEM, _ITEM_END, _SEQUENCE_END = (0xFFFE, 0xE000), (0xFFFE, 0xE00D), (0xFFFE, 0xE0DD)


def truncated(tree: Builder) -> None:
    """One image cut at many points, and files of other transfer syntaxes cut where those are vulnerable."""
    folder = b"truncated"
    tree.whole(folder, tree.images(2))
    image = tree.images(1)[0]
    head = surgery.value_at(image, PIXELS)[0]
    cuts = {
        b"in-preamble": 100,
        b"before-magic-ends": 130,
        b"after-magic": 132,
        b"in-group-length": 141,
        b"in-meta": 200,
        b"after-meta": surgery.meta_end(image),
        b"in-head": head - 200,
        b"before-rows": surgery.value_at(image, ROWS)[0] - 8,
        b"before-pixel-element": head - 12,
        b"in-pixel-element": head - 6,
        b"before-pixels": head,
        b"in-pixels": (head + len(image)) // 2,
        b"last-byte": len(image) - 1,
    }
    for name, cut in cuts.items():
        kind = Kind.DAMAGED if cut >= 132 else Kind.OTHER  # nothing tells that 130 bytes were to be DICOM
        tree.file(folder, name + b".dcm", image[:cut], kind, f"cut at byte {cut} of {len(image)}")
    for file, end in (("MR_small_RLE.dcm", -8), ("SC_rgb_jpeg_dcmtk.dcm", -4), ("MR_small_jp2klossless.dcm", -600)):
        data = shipped(file).read_bytes()[:end]
        tree.file(folder, b"cut-" + file.encode(), data, Kind.DAMAGED, f"{-end} bytes short of its end")
    for file in ("MR_small_implicit.dcm", "MR_small_expb.dcm", "image_dfl.dcm"):
        data = shipped(file).read_bytes()
        tree.file(folder, b"half-" + file.encode(), data[: len(data) // 2], Kind.DAMAGED, "cut in the middle")
    for file in ("MR_truncated.dcm", "rtplan_truncated.dcm"):
        tree.file(folder, file.encode(), shipped(file).read_bytes(), Kind.DAMAGED, "cut, as pydicom ships it")


def contradictory(tree: Builder) -> None:
    """Whole files but for one number."""
    folder = b"contradictory"
    images = tree.images(6)
    tree.whole(folder, images[:2])
    rows = struct.unpack_from("<H", images[0], surgery.value_at(images[0], ROWS)[0])[0]
    short, long_ = (
        surgery.with_value(images[n], ROWS, struct.pack("<H", rows + step)) for n, step in ((2, 1), (3, -1))
    )
    tree.file(folder, b"pixels-too-short.dcm", short, Kind.DAMAGED, "one row of pixels is missing")
    tree.file(folder, b"pixels-too-long.dcm", long_, Kind.DICOM, "longer than the matrix is whole, and noted")
    huge = surgery.element((0x0029, 0x1010), b"OB", b"\0\0", length=0xFFFFFFFE)
    tree.file(
        folder, b"huge-length.dcm", surgery.before_pixels(images[4], huge), Kind.DAMAGED, "an element claims 4 GiB"
    )
    magic = surgery.PREAMBLE + Random(1).randbytes(300)
    tree.file(folder, b"only-magic.dcm", magic, Kind.DAMAGED, "DICM, then noise")


def not_dicom(tree: Builder) -> None:
    """What else lies in exam folders."""
    folder = b"with others"
    tree.whole(folder, tree.images(2))
    others = {
        b"empty.dcm": b"",
        b"notes.txt": b"Please repeat series 3.\n",
        b"text.dcm": b"This is not an image, whatever its name says.\n" * 20,
        b"Thumbs.db": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504),  # an OLE 2 compound file
        b".DS_Store": b"\0\0\0\1Bud1" + bytes(500),
        b"DICOMDIR": shipped("dicomdirtests", "DICOMDIR").read_bytes(),
        b"noise.bin": Random(2).randbytes(4096),
        b"zeros.bin": bytes(4096),
    }
    for name, data in others.items():
        tree.file(folder, name, data, Kind.OTHER, "kept with the exam, byte for byte")


def no_dicom(tree: Builder) -> None:
    """Folders that are no exam: without DICOM, without files, without anything."""
    for name in (b"readme.txt", b"sub/more.txt"):
        tree.file(b"no dicom", name, b"nothing here\n", Kind.OTHER, "reported, not archived", fate=Fate.NO_EXAM)
    tree.folder(b"empty")
    os.mkdir(os.path.join(tree.folder(b"empty but for a folder"), b"sub"))


def deep_sequence(tree: Builder) -> None:
    """A sequence in an item of a sequence in an item …"""
    folder = b"deep sequence"
    images = tree.images(3)
    tree.whole(folder, images[:2])
    down = surgery.element((0x0040, 0xA730), b"SQ", b"", surgery.UNDEFINED) + _mark(_ITEM, surgery.UNDEFINED)
    nested = down * _DEEP + (_mark(_ITEM_END) + _mark(_SEQUENCE_END)) * _DEEP
    data = surgery.before_pixels(images[2], nested)
    tree.file(folder, b"deep.dcm", data, Kind.DAMAGED, f"{_DEEP} levels: beyond any reader's limit")


def _mark(tag: tuple[int, int], length: int = 0) -> bytes:
    return struct.pack("<HHI", *tag, length)


def deflate_bomb(tree: Builder, mib: int) -> None:
    """A deflated file (PS3.5 section A.5) of a thousandth of the size that it inflates to."""
    folder = b"deflate bomb"
    images = tree.images(3)
    tree.whole(folder, images[:2])
    head = images[2][surgery.meta_end(images[2]) : surgery.value_at(images[2], PIXELS)[0] - 12]
    pixels = surgery.element(PIXELS, b"OW", b"", length=mib * _MIB)
    file = [surgery.file_meta(surgery.DEFLATED), *_inflating(head + pixels, mib)]
    tree.file(folder, b"bomb.dcm", file, Kind.DAMAGED, f"inflates to {mib} MiB")


def _inflating(start: bytes, mib: int) -> Iterator[bytes]:
    """A raw deflate stream of `start` and `mib` MiB of zeros, made from one MiB: a full flush leaves whole blocks."""
    packer = zlib.compressobj(wbits=-15)
    yield packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(_MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    for _ in range(mib):
        yield block
    yield packer.flush()


GROUPS = (truncated, contradictory, not_dicom, no_dicom, deep_sequence)
