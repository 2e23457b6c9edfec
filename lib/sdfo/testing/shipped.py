"""The test files that ship in pydicom's wheel. Its own look-up falls back to a download; this one does not."""

from __future__ import annotations

from pathlib import Path

import pydicom.data


def shipped(*parts: str) -> Path:
    """`parts` below pydicom's folder of test files; FileNotFoundError if this wheel has none."""
    path = Path(pydicom.data.__file__).parent.joinpath("test_files", *parts)
    if not path.exists():
        raise FileNotFoundError(path)
    return path
