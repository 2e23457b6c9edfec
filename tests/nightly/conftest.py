"""An archive of its own for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdfo.testing.archive import Archive, fill, new_archive
from sdfo.testing.expiring import all_may_go


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return new_archive(tmp_path)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    archive = new_archive(tmp_path_factory.mktemp("published"))
    fill(archive.san, range(3), 16)
    assert archive.night().good
    archive.place().catalog.close()
    return archive


@pytest.fixture
def waiting(published: Archive, tmp_path: Path) -> Archive:
    """Three exams are published and wait, in an archive of the test's own."""
    return published.copy(tmp_path / "archive")


@pytest.fixture
def backed(waiting: Archive) -> Archive:
    waiting.backup()
    return waiting


@pytest.fixture(scope="module")
def may_go(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    archive = new_archive(tmp_path_factory.mktemp("may-go"))
    fill(archive.san, range(2), 16)
    assert archive.night().good
    all_may_go(archive)
    archive.place().catalog.close()
    return archive


@pytest.fixture
def ripe(may_go: Archive, tmp_path: Path) -> Archive:
    """Two exams of two images that may go from the SAN, in an archive of the test's own."""
    return may_go.copy(tmp_path / "archive")
