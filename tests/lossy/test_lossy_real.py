"""Real exams: the region exact in two decoders, the ceiling kept, and a validator that we did not write finds nothing new."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.encaps import generate_frames

from sdfo import conf
from sdfo.jpeg2000 import Image, decode, judge
from sdfo.lossy import Derived, Policy, Refused, ceiling, derive
from sdfo.lossy.protected import Find, protected
from sdfo.region import Region, Shown, find
from sdfo.testing.exams import real_exams as exams_of
from sdfo.testing.shipped import shipped

DCIODVFY = Path(sys.executable).with_name("dciodvfy")
LOSSLESS = "nothing is lost under the ceiling: the lossless copy is as good and as small"
SHORT = 6
"""Every so many-th image of a real exam in the short tests is one of so few."""


def circle(shown: Shown, plan: conf.Region) -> Region:
    """20 mm in diameter, in the image's middle."""
    down, across = np.mgrid[: shown.shape[0], : shown.shape[1]]
    far = [
        (grid - size / 2) * mm
        for grid, size, mm in zip((down, across), shown.shape, shown.spacing or (1, 1), strict=True)
    ]
    return Region.of(far[0] ** 2 + far[1] ** 2 <= 10**2, "circle", "a test's")


METHODS: dict[str, Find] = {"body": find, "circle": circle}


def _files(root: Path, name: str, most: int | None) -> list[bytes]:
    (exam,) = (exam for exam in exams_of(root) if exam.name == name)
    files = [path.read_bytes() for path in exam.files()]
    return files if most is None else files[len(files) // 5 :: len(files) // most]


def _loose(policy: Policy) -> Policy:
    """Ceilings that a small region reaches: ct-ge is a head in 16 bits, of which lossless coding needs less than a fifth."""
    lossy = policy.lossy.model_copy(update={"ceilings": {"CT": 40.0, "MR": 40.0}, "ct_brain_ceiling": 40.0})
    return replace(policy, lossy=lossy)


def _check(data: bytes, told: Derived, policy: Policy) -> None:
    before, after = dcmread(BytesIO(data)), dcmread(BytesIO(told.data))
    image = Image(before.pixel_array, int(before.BitsStored), before.PixelRepresentation == 1)
    mask = protected(before, image, 0, policy.region, policy.find).mask
    (stream,) = generate_frames(after.PixelData, number_of_frames=1)
    shown = decode(stream).samples
    assert np.array_equal(shown, judge(stream).samples)
    assert np.array_equal(shown[mask], image.samples[mask])
    assert not np.array_equal(shown, image.samples)
    assert told.ratio <= (ceiling(before, policy.lossy) or 0)
    assert told.psnr >= policy.lossy.background_db


def _derive_all(files: list[bytes], policy: Policy) -> tuple[list[Derived], Counter[str]]:
    """What was derived, each checked, and why the others were not."""
    made, refused = list[Derived](), Counter[str]()
    for data in files:
        found = derive(data, policy)
        if isinstance(found, Refused):
            refused[found.reason] += 1
        else:
            _check(data, found, policy)
            made.append(found)
    return made, refused


def _told(made: list[Derived], refused: Counter[str]) -> str:
    if not made:
        return f"none derived; refused {dict(refused)}"
    numbers = [sorted(getattr(each, word) for each in made) for word in ("ratio", "psnr", "area")]
    ratio, psnr, area = ((each[0], each[len(each) // 2], each[-1]) for each in numbers)
    return f"{len(made)} derived: ratio {ratio}, PSNR {psnr}, area {area}; refused {dict(refused)}"


def test_a_few_slices(real_exams: Path, policy: Policy) -> None:
    """Of the CT (by loose ceilings) and the MR some have a lossy object; what has none has a known reason."""
    for name, wanted in (("ct-ge", _loose(policy)), ("mr-mprage", policy)):
        made, refused = _derive_all(_files(real_exams, name, SHORT), wanted)
        assert made
        known = {"no lossy layer lies under the ceiling", "the region is the whole image", "no DICOM file", LOSSLESS}
        assert set(refused) <= known


def test_a_planning_exam(real_exams: Path, policy: Policy) -> None:
    """The phantom's protocol is stereotactic: it is refused as radiotherapy planning, whatever its pixels."""
    made, refused = _derive_all(_files(real_exams, "ct-philips-phantom", SHORT), policy)
    assert not made
    assert refused["radiotherapy planning"] >= 3


@pytest.mark.long
@pytest.mark.parametrize("loose", [False, True], ids=["consensus", "loose"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["ct-ge", "mr-mprage"])
def test_every_slice(real_exams: Path, policy: Policy, name: str, method: str, loose: bool) -> None:
    """Body and a 20 mm circle, by the consensus's ceilings and by loose ones: exact where it must be, in two decoders."""
    wanted = replace(_loose(policy) if loose else policy, find=METHODS[method])
    made, refused = _derive_all(_files(real_exams, name, None), wanted)
    print(f"{name} {method} {'loose' if loose else 'consensus'}: {_told(made, refused)}")
    assert made or (name, loose) == ("ct-ge", False)  # a head, coded without loss in a fifth of its 16 bits
    assert not [reason for reason in refused if "proof" in reason or "header" in reason]


def _errors(folder: Path, data: bytes) -> set[str]:
    """What dicom3tools' validator finds wrong with a file; `Error - ` and where, without what was wrong before."""
    (folder / "x.dcm").write_bytes(data)
    found = subprocess.run([DCIODVFY, folder / "x.dcm"], capture_output=True, check=False)
    lines = found.stderr.decode("latin-1").splitlines()
    assert any(line.startswith(("Error", "Warning")) for line in lines) or found.returncode == 0
    return {line for line in lines if line.startswith("Error")}


def _no_new_errors(folder: Path, data: bytes, policy: Policy) -> bool:
    found = derive(data, policy)
    if isinstance(found, Refused):
        return False
    assert _errors(folder, found.data) <= _errors(folder, data)
    return True


def test_a_validator_finds_nothing_new(real_exams: Path, policy: Policy, tmp_path: Path) -> None:
    """In a CT and an MR."""
    for name in ("ct-ge", "mr-mprage"):
        assert any(_no_new_errors(tmp_path, data, _loose(policy)) for data in _files(real_exams, name, 4))


@pytest.mark.long
@pytest.mark.parametrize("name", ["ct-ge", "mr-mprage"])
def test_a_validator_finds_nothing_new_in_any(real_exams: Path, policy: Policy, tmp_path: Path, name: str) -> None:
    """In any image of the exams, by loose ceilings, so that most have one."""
    files, wanted = _files(real_exams, name, None), replace(_loose(policy), find=circle)
    assert sum(_no_new_errors(tmp_path, data, wanted) for data in files) > len(files) / 2


@pytest.mark.long
def test_shipped_images(policy: Policy, tmp_path: Path) -> None:
    """Whatever ships with pydicom is derived or refused, and never an error; what is derived is as valid as before."""
    root = shipped("CT_small.dcm").parent
    every = policy.lossy.model_copy(update={"ceilings": {"CT": 100.0, "MR": 100.0}, "ct_brain_ceiling": 100.0})
    wanted = replace(policy, lossy=every.model_copy(update={"background_db": 0.0}), find=_half)
    files = [path for path in sorted(root.rglob("*")) if path.is_file() and path.suffix not in (".py", ".pyc")]
    assert sum(_no_new_errors(tmp_path, path.read_bytes(), wanted) for path in files) >= 3


def _half(shown: Shown, plan: conf.Region) -> Region:
    mask = np.zeros(shown.shape, dtype=bool)
    mask[: shown.shape[0] // 3] = True
    return Region.of(mask, "half", "a test's")


def test_several_frames_validate(ct, written, policy: Policy, tmp_path: Path) -> None:
    """A CT of several frames, as this suite makes it, has its own faults, and no others after."""
    ds: Dataset = ct(size=64, frames=3)
    assert _no_new_errors(tmp_path, written(ds), policy)
