"""Fixtures for all tests. Imports nothing of the pipeline at the top: the Airflow environment reads this file too."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

pytest.register_assert_rewrite("sdfo.testing.contracts")

with suppress(ImportError):
    from hypothesis import settings

    # Two cores are shared by JVMs and databases: a slow example says nothing about the code.
    settings.register_profile("sdfo", deadline=None, print_blob=True)
    settings.load_profile("sdfo")


@pytest.fixture(scope="session")
def real_exams() -> Path:
    """The folder with the full-size real exams. Read only: nothing below it may be written or copied into the project."""
    from sdfo.testing.exams import REAL_EXAMS, real_exams, real_exams_root

    root = real_exams_root()
    if root is None or len(real_exams(root)) < 3:
        pytest.fail(
            f"set {REAL_EXAMS} to the folder that holds the real exams ct-ge, ct-philips-phantom and mr-mprage",
            pytrace=False,
        )
    return root


@pytest.fixture(scope="session")
def parses() -> Callable[[str], None]:
    """Fails unless the words are ones that `sdfo` knows. Nothing is run."""
    from typer import BadParameter
    from typer.main import get_command

    from sdfo.cli import app

    def check(words: str) -> None:
        command, parent, name = get_command(app), None, "sdfo"
        rest = [word for word in shlex.split(words) if word != "--json"]  # taken anywhere
        while True:
            try:
                context = command.make_context(name, rest, parent=parent)
            except BadParameter as error:
                if "does not exist" in str(error):  # the words are right, though the file is nobody's
                    return
                raise
            left = [*getattr(context, "_protected_args", ()), *context.args]
            if not hasattr(command, "resolve_command") or (not left and command.invoke_without_command):
                return
            name, command, rest = command.resolve_command(context, left)
            parent = context

    return check
