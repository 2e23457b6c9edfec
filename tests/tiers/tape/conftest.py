"""A small volume for all tests that change none of its bytes."""

from __future__ import annotations

import pytest

from sdfo.testing.volumes import Written, small_volume


@pytest.fixture(scope="session")
def volume(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return small_volume(tmp_path_factory.mktemp("volume"))
