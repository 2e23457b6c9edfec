"""Images that we did not make: those that pydicom ships and the real exams; and a validator that we did not write."""

from __future__ import annotations

import subprocess
import sys
from itertools import islice
from pathlib import Path

import pydicom
import pytest

from sdfo.jpeg2000 import CODECS
from sdfo.model import Form
from sdfo.testing import exams
from sdfo.testing.shipped import shipped
from sdfo.transcoder import Recipe, restore

DCIODVFY = Path(sys.executable).with_name("dciodvfy")
SHORT_REAL = 2
"""Images of each real exam in the short tests."""
NATIVE_SHIPPED = 43
"""Of pydicom's files, those that a codestream can carry: the others are encapsulated, damaged, deflated, of 1 or 32 bits …"""


def _shipped() -> dict[str, bytes]:
    root = shipped("CT_small.dcm").parent
    files = (path for path in sorted(root.rglob("*")) if path.is_file() and path.suffix not in (".py", ".pyc"))
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def _real(root: Path, name: str, most: int | None) -> dict[str, bytes]:
    """The files of a real exam, or so many images out of its middle."""
    (exam,) = (exam for exam in exams.real_exams(root) if exam.name == name)
    paths = list(exam.files())
    if most is not None:
        middle = paths[len(paths) // 2 :]
        paths = list(islice((path for path in middle if "Rows" in _header(path)), most))
    return {path.relative_to(exam.folder).as_posix(): path.read_bytes() for path in paths}


def _header(path: Path) -> pydicom.Dataset:
    return pydicom.dcmread(path, force=True, stop_before_pixels=True)


def _errors(folder: Path, data: bytes) -> set[str]:
    """What dicom3tools' validator finds wrong with a file."""
    (folder / "x.dcm").write_bytes(data)
    found = subprocess.run([DCIODVFY, folder / "x.dcm"], capture_output=True, check=False)
    lines = found.stderr.decode("latin-1").splitlines()
    assert any(line.startswith(("Error", "Warning")) for line in lines) or found.returncode == 0
    return {line for line in lines if line.startswith("Error")}


def _comes_back(bench, files: dict[str, bytes], recipe: Recipe):
    """Everything restores, and to the very part; what was done."""
    with bench.part(files) as part:
        check = part.check_digest
    with bench.transcoded(files, recipe) as (done, part):
        assert {record.name: data for record, data in part.originals(threads=2)} == files
        assert restore(part, bench.store, "attempts/back", check).check == check
    assert done.judged == done.compressed == done.records - sum(count for _, count in done.kept)
    return done


def _no_new_errors(bench, folder: Path, files: dict[str, bytes], recipe: Recipe) -> None:
    with bench.transcoded(files, recipe) as (done, part):
        assert done.compressed
        for record in part.records:
            if record.original is not None:
                assert _errors(folder, part.stored(record)) <= _errors(folder, files[record.name])


def test_shipped_images(bench):
    """Each that a codestream can carry is carried; whatever else is there is kept, for a reason that is no failure."""
    done = _comes_back(bench, _shipped(), Recipe("j2k"))
    assert done.compressed == NATIVE_SHIPPED
    assert not [reason for reason, _ in done.kept if "proof" in reason or "cannot" in reason]


@pytest.mark.long
@pytest.mark.parametrize("form", list(Form))
@pytest.mark.parametrize("codec", CODECS)
def test_shipped_images_by_every_codec(bench, codec, form):
    """The same; a codec that does not take one keeps it."""
    done = _comes_back(bench, _shipped(), Recipe(codec, form))
    assert done.compressed == NATIVE_SHIPPED or codec == "htj2k"


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small_expb.dcm", "examples_rgb_color.dcm"])
def test_a_validator_finds_nothing_new(bench, tmp_path, name):
    """dciodvfy has nothing to say of the stored object that it does not say of the original."""
    _no_new_errors(bench, tmp_path, {name: shipped(name).read_bytes()}, Recipe("j2k", Form.CODESTREAM))


@pytest.mark.long
def test_a_validator_finds_nothing_new_in_any_shipped_image(bench, tmp_path):
    """The same of all of them."""
    _no_new_errors(bench, tmp_path, _shipped(), Recipe("j2k"))


EXAMS = ("ct-ge", "ct-philips-phantom", "mr-mprage")


def test_a_few_slices_of_each_real_exam(bench, real_exams):
    """Restore to their SHA-256, region first, all judged."""
    files = {f"{name}/{each}": data for name in EXAMS for each, data in _real(real_exams, name, SHORT_REAL).items()}
    done = _comes_back(bench, files, Recipe("j2k-roi", Form.CODESTREAM))
    assert (done.compressed, done.kept, len(done.treated)) == (len(files), (), len(files))


@pytest.mark.long
@pytest.mark.parametrize("name", EXAMS)
@pytest.mark.parametrize("codec", CODECS)
def test_every_image_of_the_real_exams(bench, real_exams, codec, name):
    """Restores to its SHA-256, whatever the codec, and a second decoder shows each as pydicom does."""
    done = _comes_back(bench, _real(real_exams, name, None), Recipe(codec, Form.CODESTREAM))
    assert {reason for reason, _ in done.kept} <= {"not DICOM"}


@pytest.mark.long
@pytest.mark.parametrize("name", EXAMS)
@pytest.mark.parametrize("codec", CODECS)
def test_a_validator_finds_nothing_new_in_the_real_exams(bench, real_exams, tmp_path, codec, name):
    """dciodvfy again, of every image."""
    _no_new_errors(bench, tmp_path, _real(real_exams, name, None), Recipe(codec, judged=0))
