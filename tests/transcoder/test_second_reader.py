"""docs/format.md is enough to restore originals: the program on the page does, with none of our code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from sdfo.model import Form
from sdfo.testing.natives import BIG, HALVES, NativeImage, noise
from sdfo.transcoder import Recipe

PAGE = Path(__file__).parents[2] / "docs" / "format.md"
FILES = {
    "big": NativeImage(noise((2, 40, 30), 16, True), 16, True, syntax=BIG).file(),
    "layered": NativeImage(noise((1, 40, 30), 12, False), 12).file(),
    "planes": NativeImage(noise((1, 9, 7, 3), 8, False), 8, photometric="RGB", allocated=8, planar=True).file(),
    "note": b"a note",
}


def _programs() -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.mark.parametrize("form", list(Form))
def test_the_program_on_the_page_restores(bench, form):
    """Byte for byte, of both forms, with layers and planes."""
    reader, restorer = _programs()
    space: dict[str, Any] = {}
    exec(restorer, space)
    exec(
        reader.partition("\nfor name, value in read(")[0].replace(
            "covered = [", "global seen; seen = header; covered = ["
        ),
        space,
    )
    with bench.transcoded(FILES, Recipe("j2k-roi", form, region=HALVES)) as (done, part):
        assert {record.name: record.layers is not None for record in part.records} == {
            "big": True, "layered": True, "planes": True, "note": False}  # fmt: skip
        read = dict(space["read"](bench.store.root / done.attempt))
        found = dict(zip(read, space["originals"](space["seen"], read.values()), strict=True))
    assert found == {name.encode(): data for name, data in FILES.items()}
