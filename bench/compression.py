"""How small: whole exams by each codec, and each prefix of an image by what it shows. As a page of the documentation.

python -m bench.compression [--markdown FILE]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import imagecodecs
import numpy as np
import zstandard

from bench import images
from bench.__main__ import FOLDER
from bench.images import Slice
from bench.place import Exam, Place, temporary
from bench.sizes import QUICK, Sizes
from sdfo.jpeg2000 import CODECS, Mask, cut, decode, judge, open_codec
from sdfo.jpeg2000.image import Image
from sdfo.model import Form
from sdfo.sdicom import Part
from sdfo.transcoder import Recipe, transcode
from sdfo.transcoder.images import native

_PAGE = """# How small

Written by `python -m bench.compression --markdown docs/compression.md`; do not edit. The exams are those of README, "Real exams".

## Whole exams

Bytes of all that an exam takes up, and in parentheses how many times less than its files that is. `original` is the S-DICOM file
on HDFS, the others are S-DICOM files as near-line holds them: codestreams, and all heads compressed together. Every file
came back to its SHA-256. JPEG-LS is no codec of this archive: its column is the `j2k` one with each codestream exchanged for
one by CharLS. zstd is each file by itself, at level 3.

{exams}

## First the region

What a reader sees that takes the first layers alone, over {images} images of each exam, evenly spread. `region`: the largest
error within it, by OpenJPEG and by FFmpeg. `ratio`: the samples' own bytes to those of the prefix, median (least). `background`: PSNR outside the region
against the image's own span of values, median. The last layer is the whole codestream, lossless, beside what `j2k` takes for the same images.

{prefixes}
"""
_IMAGES = 24


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.compression", description=__doc__)
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write it there, not to standard output")
    parser.add_argument("--quick", action="store_true", help="in small: to see that it runs")
    words = parser.parse_args(argv)
    with temporary(FOLDER) as top:
        page = _page(Place(top), QUICK if words.quick else Sizes())
    if words.markdown:
        words.markdown.write_text(page)
    else:
        print(page)
    return 0


def _page(place: Place, sizes: Sizes) -> str:
    exams = images.exams(place, sizes)
    whole = [_row(name, _bytes(place, exam)) for name, exam in exams.items()]
    columns = ["exam", "files", "original", *CODECS, "JPEG-LS", "zstd -3"]
    prefixes = [line for name, exam in exams.items() for line in _prefixes(name, images.slices(exam, _IMAGES))]
    heads = ["exam", "region is", "layers", "region", "ratio", "background", "size against `j2k`"]
    return _PAGE.format(exams=_table(columns, whole), prefixes=_table(heads, prefixes), images=_IMAGES)


def _row(name: str, found: dict[str, int]) -> list[str]:
    files = found["files"]
    return [name, *(f"{size:,}" + ("" if size == files else f" ({files / size:.2f})") for size in found.values())]


def _bytes(place: Place, exam: Exam) -> dict[str, int]:
    path, pack = place.archived(exam), zstandard.ZstdCompressor(level=3).compress
    data = [each.read_bytes() for each in exam.paths]
    found = {"files": sum(map(len, data)), "original": (place.store.root / path).stat().st_size}
    with Part.open(place.store, path) as part:
        for codec in CODECS:
            made = transcode(part, place.store, "attempts/compression", Recipe(codec, Form.CODESTREAM, judged=0.0))
            found[codec] = made.size
            if codec == "j2k":
                found["JPEG-LS"] = made.size + _exchanged(part, place, made.attempt)
    found["JPEG-LS"] = found.pop("JPEG-LS")
    return found | {"zstd": sum(len(pack(each)) for each in data)}


def _exchanged(part: Part, place: Place, attempt: str) -> int:
    """How many bytes more JPEG-LS takes than the codestreams of this attempt."""
    more = 0
    with Part.open(place.store, attempt) as coded:
        for record in coded.records:
            if record.original is not None:
                source = part.by_name(record.name)
                image = native(source, part.value(source), (part.head(source) or (b"",))[0])
                more += sum(len(_jpegls(frame)) for frame in image.frames()) - record.length
    return more


def _jpegls(frame: Image) -> bytes:
    """CharLS knows no sign: the same bits, so that zero does not lie at the edge."""
    unsigned = frame.samples.astype(np.int32) + (1 << frame.precision - 1 if frame.signed else 0)
    return bytes(imagecodecs.jpegls_encode(unsigned.astype(np.uint8 if frame.precision <= 8 else np.uint16)))


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one prefix of one image shows. `error`: the largest in the region, of both decoders."""

    ratio: float
    error: int
    psnr: float


def _prefixes(name: str, slices: Sequence[Slice]) -> Iterator[list[str]]:
    plain = sum(len(open_codec("j2k").encode(each.image).codestream) for each in slices)
    for what in ("body", "circle of 20 mm"):
        masks = [each.body if what == "body" else each.circle for each in slices]
        coded = [open_codec("j2k-roi").encode(each.image, mask) for each, mask in zip(slices, masks, strict=True)]
        size = sum(len(each.codestream) for each in coded)
        most = max((len(each.layers) for each in coded), default=0)
        layered = [n for n, each in enumerate(coded) if len(each.layers) == most]
        for layers in range(1, most + 1):
            prefixes = ((slices[n], masks[n], cut(coded[n].codestream, coded[n].layers, layers)) for n in layered)
            seen = [_seen(each, mask, prefix) for each, mask, prefix in prefixes]
            last = f"{size / plain:.3f}" if layers == most else ""
            yield [name, what, f"{layers} of {most}, {len(seen)} images", *_told(seen), last]


def _told(seen: Sequence[_Seen]) -> list[str]:
    ratios, psnr = [each.ratio for each in seen], median(each.psnr for each in seen)
    shown = "exact" if np.isinf(psnr) else f"{psnr:.1f} dB"
    return [str(max(each.error for each in seen)), f"{median(ratios):.1f} ({min(ratios):.1f})", shown]


def _seen(each: Slice, mask: Mask, prefix: bytes) -> _Seen:
    true = each.image.samples.astype(np.int64)
    by_two = [decoder(prefix).samples - true for decoder in (decode, judge)]
    error = max(int(np.abs(differs[mask]).max()) for differs in by_two)
    noise, span = float((by_two[0][~mask] ** 2).mean()), float(true.max() - true.min())
    psnr = 10 * np.log10(span**2 / noise) if noise else np.inf
    return _Seen(each.raw / len(prefix), error, float(psnr))


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (columns, ["---"] * len(columns), *rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
