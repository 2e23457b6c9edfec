"""The outer edge: what is not meant to happen, and what must never be said."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace

import pytest
import typer

from sdfo.cli import edge
from sdfo.cli.show import Answer
from sdfo.errors import SdfoError
from sdfo.testing.exams import Series, study_uid

from_the_header = "SYNTHETIC"
"""Begins the patient's name in the header of every generated image."""
on_the_san = "Zwirbelhuber"
"""Is in every folder's and file's name on the SAN of these tests."""


def test_no_command_tells_a_name(archived, tmp_path):
    """Neither a name of the SAN nor a patient's, in text and JSON, on both outputs; `head` shows the header it is asked for."""
    archived = replace(archived, folder=shutil.copytree(archived.folder, tmp_path / "copy"))
    sop, part, study = Series("CT", 1).sop_uid(1), archived.part(3), study_uid(3)
    commands = [
        ["init"], ["doctor"], ["status"], ["config"], ["gc"], ["find"], ["find", "--patient", "synthetic"], ["locate", study], ["locate", sop],
        ["ls", part], ["check", part, "--deep"], ["report", "--run", "first"], ["night", "--run", "again"], ["catalog", "upgrade"],
        ["get", study, "--to", tmp_path / "out"], ["get", study, "--to", tmp_path / "out"], ["store", next(archived.san.rglob("*.dcm"))],
    ]  # fmt: skip
    for words in commands:
        done, as_json = archived.run(*words), archived.run("--json", *words)
        said = done.stdout + done.stderr + as_json.stdout + as_json.stderr
        assert on_the_san not in said, words
        assert from_the_header not in said.replace("--patient synthetic", ""), words
        assert isinstance(json.loads(as_json.stdout), dict), words
    assert on_the_san not in archived.run("head", sop).stdout
    assert on_the_san in archived.run("quarantine").stdout
    assert on_the_san in (archived.hdfs / "runs" / "first" / "report.html").read_text()


def test_an_internal_error_is_told_without_its_message(capsys):
    """Messages of other libraries quote paths and values: the place and the kind of error are told, for every error in the chain."""
    app = typer.Typer()

    @app.command()
    def falls() -> None:
        try:
            open(f"/nowhere/{on_the_san}").close()
        except OSError as error:
            raise ValueError(on_the_san) from error

    assert edge.run(app, []) == 1
    told = capsys.readouterr()
    assert on_the_san not in told.out + told.err
    assert "test_edge.py" in told.err
    assert "FileNotFoundError" in told.err
    assert "internal error (ValueError)" in told.err


@pytest.mark.parametrize(("error", "code"), [(SdfoError("x"), 1), (KeyboardInterrupt(), 130), (edge.Terminated(), 143)])
def test_exit_codes_of_what_is_raised(error, code, capsys):
    """Every error ends in one line with a next command."""
    app = typer.Typer()

    @app.command()
    def falls() -> None:
        raise error

    assert edge.run(app, []) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert "; next: sdfo " in line


def test_an_answers_exit_code_is_the_commands(capsys):
    """And its data is one line of JSON."""
    app = typer.Typer()

    @app.callback()
    def before(as_json: bool = typer.Option(False, "--json")) -> None: ...

    @app.command()
    def done() -> Answer:
        return Answer({"name": b"\xff"}, ["text"], 3)

    assert edge.run(app, ["done", "--json"]) == 3
    assert capsys.readouterr().out == '{"name": "\\\\xff"}\n'
    assert edge.run(app, ["done"]) == 3
    assert capsys.readouterr().out == "text\n"


def test_a_reader_that_goes_away_is_no_error(archived):
    """`sdfo config | head -0`: no traceback, and the command's own exit code."""
    reader = subprocess.Popen(["true"], stdin=subprocess.PIPE)
    reader.wait()
    done = subprocess.run(
        archived.command("config"),
        env=archived.env(),
        stdout=reader.stdin,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert done.stderr == ""
