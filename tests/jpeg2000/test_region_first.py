"""The region is exact in the first layer, everything in the last: in OpenJPEG and in FFmpeg."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator

import hypothesis
import numpy as np
import pydicom
import pytest
from hypothesis import strategies as st
from pydicom.errors import InvalidDicomError

from sdfo.jpeg2000 import Image, decode, open_codec
from sdfo.jpeg2000 import codestream as structure
from sdfo.jpeg2000.codestream import cut
from sdfo.region import Shown, find
from sdfo.testing.contracts.codec import assert_kept
from sdfo.testing.exams import real_exams as exams_below
from sdfo.testing.images import KINDS, disc, grid, image, regions

ROI = open_codec("j2k-roi")


@hypothesis.settings(max_examples=50)
@hypothesis.given(
    size=st.tuples(st.integers(1, 80), st.integers(1, 80)),
    precision=st.integers(1, 16),
    signed=st.booleans(),
    rgb=st.booleans(),
    kind=st.sampled_from(KINDS),
    seed=st.integers(0, 1 << 20),
)
def test_any_image_and_region(size, precision, signed, rgb, kind, seed):
    """Several discs and specks: each prefix has them exactly, all layers the image."""
    random = np.random.default_rng(seed)
    region = random.random(size) < 0.002
    for _ in range(random.integers(1, 4)):
        region |= disc(size, random.random(), random.random(), random.uniform(0, min(size) / 3))
    assert_kept(ROI, image(size, precision, signed=signed, rgb=rgb, kind=kind, seed=seed), region)


def test_the_whole_image_is_one_layer():
    """No region, a region of everything, or one on which everything depends: as the plain codec codes it."""
    for size, region in (((40, 40), None), ((40, 40), np.ones((40, 40), bool)), ((2, 2), disc((2, 2), 0, 0, 0))):
        given = image(size, 12)
        encoded = ROI.encode(given, region)
        assert encoded.codestream == open_codec("j2k").encode(given).codestream
        assert encoded.layers == (len(encoded.codestream),)


def test_layers_grow_from_the_region():
    """The first is a small part of the file and shows the background blurred; it gets better with each."""
    given, region = image((256, 256), 12, kind="smooth"), disc((256, 256), 0.5, 0.5, 12)
    encoded = ROI.encode(given, region)
    assert encoded.layers[0] < len(encoded.codestream) / 12
    errors = []
    for count in range(1, len(encoded.layers) + 1):
        found = decode(cut(encoded.codestream, encoded.layers, count)).samples
        errors.append(float(np.square(found.astype(float) - given.samples).mean()))
    assert len(errors) == 4
    assert errors == sorted(errors, reverse=True)
    assert errors[0] < np.var(given.samples[~region].astype(float))
    assert errors[1] < errors[0] / 10
    assert errors[-1] == 0


def test_size():
    """At most 9 % more than plain, for a large region as for a small one."""
    given = image((512, 512), 12)
    plain = len(open_codec("j2k").encode(given).codestream)
    for radius in (10, 60, 180):
        assert len(ROI.encode(given, disc((512, 512), 0.5, 0.5, radius)).codestream) <= 1.09 * plain


def test_shift_is_no_larger_than_needed():
    """Maxshift's lift and the region's bit-planes together: at most 25, which both decoders have."""
    for precision in (8, 12, 16):
        encoded = ROI.encode(image((128, 128), precision, kind="noise"), disc((128, 128), 0.3, 0.3, 9)).codestream
        (shift,) = structure.read(encoded).shifts
        assert 2 <= shift.by <= 25 - precision + 1


@pytest.mark.long
@pytest.mark.parametrize("rgb", [False, True], ids=["gray", "rgb"])
@pytest.mark.parametrize("precision", range(1, 17))
def test_full_grid(precision, rgb):
    """Signed and unsigned, all kinds, sizes from 1 to 64 and odd ones, five regions: exact in both decoders or refused, and
    every prefix has its region. None is refused but by `htj2k`, of 16 bits."""
    sizes = ((1, 1), (1, 9), (2, 2), (3, 5), (4, 64), (17, 1), (31, 33), (64, 64), (65, 66), (97, 130))
    for given in grid(sizes, (precision,)):
        if given.rgb == rgb:
            for region in regions(given.size):
                if region.any():
                    assert assert_kept(ROI, given, region)
            assert assert_kept(open_codec("j2k"), given)
            assert assert_kept(open_codec("htj2k"), given) or precision == 16


def _real(root) -> Iterator[tuple[pydicom.Dataset, Image]]:
    for exam in exams_below(root):
        for path in exam.files():
            try:
                ds = pydicom.dcmread(path)
            except InvalidDicomError:
                continue
            if "PixelData" in ds and ds.pixel_array.ndim == 2:
                yield ds, Image(ds.pixel_array, ds.BitsStored, bool(ds.PixelRepresentation))


def _masks(ds: pydicom.Dataset, size: tuple[int, int], seed: int) -> Iterator[np.ndarray]:
    """The size of a body, 20 mm, and any."""
    down, across = np.mgrid[: size[0], : size[1]]
    yield ((down / size[0] - 0.5) / 0.33) ** 2 + ((across / size[1] - 0.5) / 0.42) ** 2 <= 1
    yield disc(size, 0.45, 0.55, 10 / float(ds.get("PixelSpacing", [1])[0]))
    random = np.random.default_rng(seed)
    yield disc(size, random.random(), random.random(), min(size) * random.uniform(0.02, 0.25))


@pytest.mark.long
def test_real_images(real_exams):
    """Every image, three regions: all layers are the image, every prefix has its region, in both decoders."""
    pairs = 0
    for number, (ds, given) in enumerate(_real(real_exams)):
        for region in _masks(ds, given.size, number):
            encoded = assert_kept(ROI, given, region)
            assert encoded is not None
            pairs += 1
    assert pairs >= 300


@pytest.mark.long
@pytest.mark.parametrize(
    ("exam", "method", "ratio"), [("ct-ge", "circle", 50), ("mr-mprage", "circle", 50), ("ct-ge", "body", 5)]
)
def test_a_first_layer_is_small(real_exams, exam, method, ratio):
    """What lies in memory to the bytes of the first layer, median over every image: of 20 mm, of the body that is found."""
    found = []
    for ds, given in _real(real_exams):
        if exam in ds.filename:
            body = find(Shown.of(ds, given.samples)).mask
            circle = disc(given.size, 0.5, 0.5, 10 / float(ds.PixelSpacing[0]))
            found.append(given.samples.nbytes / ROI.encode(given, body if method == "body" else circle).layers[0])
    assert len(found) >= 28
    assert np.median(found) >= ratio


@pytest.mark.long
def test_programs_of_debian(real_exams, tmp_path):
    """`opj_decompress` and `ffmpeg` decode the stream of every real image to the same pixels."""
    for program, package in (("opj_decompress", "libopenjp2-tools"), ("ffmpeg", "ffmpeg")):
        if shutil.which(program) is None:
            pytest.fail(f"{program} is missing: apt-get install {package}", pytrace=False)
    for number, (ds, given) in enumerate(_real(real_exams)):
        region = next(_masks(ds, given.size, number))
        (tmp_path / "image.j2k").write_bytes(ROI.encode(given, region).codestream)
        for found in (_opj_decompress(tmp_path, given), _ffmpeg(tmp_path, given)):
            assert np.array_equal(found, given.samples)


def _opj_decompress(folder, given: Image) -> np.ndarray:
    words = ["opj_decompress", "-quiet", "-i", "image.j2k", "-o", "image.rawl"]
    subprocess.run(words, cwd=folder, check=True, capture_output=True)
    kind = f"<{'i' if given.signed else 'u'}{1 if given.precision <= 8 else 2}"
    return np.fromfile(folder / "image.rawl", kind).reshape(given.size)


def _ffmpeg(folder, given: Image) -> np.ndarray:
    """It moves samples to the top of 16 bits, and adds half their range to signed ones."""
    words = [
        "ffmpeg",
        "-y",
        "-loglevel",
        "error",
        "-i",
        "image.j2k",
        "-f",
        "rawvideo",
        "-pix_fmt",
        "gray16le",
        "image.raw",
    ]
    subprocess.run(words, cwd=folder, check=True, capture_output=True)
    plain = np.fromfile(folder / "image.raw", "<u2").reshape(given.size).astype(int) >> (16 - given.precision)
    return plain - ((1 << given.precision - 1) if given.signed else 0)
