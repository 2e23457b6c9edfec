"""python -m sdfo.testing.demo SAN_FOLDER [--generated N]: fill a SAN with real exams, and with N generated ones.

The exams below $SDFO_REAL_EXAMS where that is set, the small ones in pydicom's wheel otherwise. May be run again: a
file that is there with the same bytes is left alone.
"""

from __future__ import annotations

import argparse
import filecmp
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from sdfo.testing.exams import RealExam, make_exam, pydicom_exams, real_exams, real_exams_root

_SLICES, _SIZE = 40, 256


def main(argv: Sequence[str] | None = None) -> int:
    """Prints one line per exam: its folder, files, MB, where it is from and its licence."""
    parser = argparse.ArgumentParser(prog="python -m sdfo.testing.demo", description=__doc__)
    parser.add_argument("san", type=Path, help="folder of the SAN; made if it is not there")
    parser.add_argument("--generated", type=int, default=0, metavar="N", help="exams to make up besides")
    words = parser.parse_args(argv)
    root = real_exams_root()
    for exam in real_exams(root) if root else pydicom_exams():
        _say(exam.name, copy_exam(exam, words.san), exam.source, exam.licence)
    for number in range(1, words.generated + 1):
        _say(f"generated-{number:03}", _generate(words.san, number), "made from pydicom's test images", "MIT (pydicom)")
    return 0


def copy_exam(exam: RealExam, san: Path) -> list[Path]:
    """The exam as a folder of `san`: its files there."""
    copies = []
    for file in exam.files():
        copy = san / exam.name / file.relative_to(exam.folder)
        if not (copy.is_file() and filecmp.cmp(file, copy, shallow=False)):
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
        copies.append(copy)
    return copies


def _generate(san: Path, number: int) -> list[Path]:
    folder = san / f"generated-{number:03}"
    there = sorted(folder.glob("*.dcm"))
    if len(there) == _SLICES:
        return there
    if number % 2:
        return make_exam(folder, slices=_SLICES, modality="CT", seed=number, size=_SIZE)
    return make_exam(folder, slices=_SLICES, modality="MR", seed=number, size=_SIZE, head_bytes="siemens")


def _say(name: str, files: list[Path], source: str, licence: str) -> None:
    megabytes = sum(f.stat().st_size for f in files) / 1e6
    print(f"{name:<20} {len(files):>5} files {megabytes:>8.2f} MB   {source}   {licence}")


if __name__ == "__main__":
    sys.exit(main())
