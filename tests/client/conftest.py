"""An archive of its own for each test, and the client over it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdfo.client import Archive as Client
from sdfo.testing.archive import Archive, new_archive


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return new_archive(tmp_path)


@pytest.fixture
def client(archive: Archive) -> Client:
    return Client(archive.settings())
