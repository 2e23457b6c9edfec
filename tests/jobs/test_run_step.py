"""A step as a job: its exit code, and what it says and does not say."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdfo.errors import LeaseHeld, SdfoError, UsageError
from sdfo.nightly.convert import convert
from sdfo.spark.job import run_step
from sdfo.testing.archive import Archive, new_archive


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return new_archive(tmp_path)


@pytest.mark.parametrize("error", [SdfoError, UsageError, LeaseHeld])
def test_an_error_is_one_line_and_its_exit_code(archive, capsys, error):
    """The same codes as on the command line."""

    def step(place, engine, progress):
        raise error("it did not work")

    assert run_step("convert", step, ["--run", "r1", "--conf", str(archive.toml)]) == error.exit_code
    assert capsys.readouterr().err == "convert: it did not work\n"


def test_a_fault_of_this_program_is_told_without_its_text(archive, capsys):
    """Where it happened, and no message: Airflow keeps what a job prints, and the message may quote a patient's name."""

    name = "".join(("DOE", "^", "JANE"))  # not as it stands in a line of the program

    def step(place, engine, progress):
        try:
            raise KeyError(name)
        except KeyError as error:
            raise ValueError(name) from error

    assert run_step("convert", step, ["--run", "r1", "--conf", str(archive.toml)]) == 1
    said = capsys.readouterr()
    assert "builtins.ValueError" in said.err
    assert "test_run_step.py" in said.err
    assert name not in said.err
    assert said.out == ""


def test_a_run_that_nobody_began_is_refused(archive, capsys):
    """A mistyped id: exit 2, before any engine starts, and nobody is held up by a lease."""
    assert run_step("convert", convert, ["--run", "mistyped", "--conf", str(archive.toml)]) == 2
    assert "sdfo scan --run mistyped" in capsys.readouterr().err
    assert archive.place().catalog.lease_holder("archive") is None
