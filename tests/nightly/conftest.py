"""An archive of its own for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdfo.testing.archive import Archive, new_archive


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return new_archive(tmp_path)
