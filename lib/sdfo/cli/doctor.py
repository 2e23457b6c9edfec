"""What the archive needs, what is found of it, and what to do about the rest."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sdfo.cli import cluster as on_cluster
from sdfo.cli.app import DEFAULT_CONF, Given, given
from sdfo.cli.finding import Finding, asked, table
from sdfo.cli.settings import without_secrets
from sdfo.cli.show import Answer
from sdfo.errors import SdfoError, SettingsError

if TYPE_CHECKING:
    from sdfo.nightly.place import Place

JAVA = 17
"""The line that Spark 4 runs on (ARCHITECTURE.md)."""


def register(app: typer.Typer) -> None:
    app.command(rich_help_panel="Care")(doctor)


def doctor(
    ctx: typer.Context,
    cluster: Annotated[
        bool,
        typer.Option("--cluster", help="Also what a Hadoop cluster and its nodes need: starts a Spark application."),
    ] = False,
) -> Answer:
    """Look at everything that a night needs. Exit 1 if something required is missing."""
    findings = list(_findings(given(ctx), cluster))
    well = all(finding.ok for finding in findings if finding.required)
    return Answer(
        {"ok": well, "findings": findings},
        [table([replace(each, next="") if each.ok else each for each in findings])],
        0 if well else 1,
    )


def _findings(words: Given, cluster: bool) -> Iterator[Finding]:
    yield Finding("Python", sys.version_info[:2] == (3, 11), platform.python_version(), "make setup")
    try:
        place = words.place("doctor")
    except SdfoError as error:
        yield Finding("settings", False, error.what, error.next_command or "sdfo --conf FILE doctor")
        return
    yield Finding("settings", True, str(words.conf.absolute()))
    spark = place.settings.engine == "spark"
    for look in (_java, _pyspark, _spark_home):
        yield replace(look(), required=spark)
    yield _openjpeg()
    yield _airflow()
    if cluster:
        yield on_cluster.hadoop(place)
    for what, ask, after in (
        ("SAN", _san, "mount it; sdfo init if it is new"),
        ("HDFS store", _store, "sdfo init"),
        ("catalog", _catalog, "sdfo catalog upgrade"),
    ):
        yield asked(what, partial(ask, place), after)
    yield replace(asked("near-line store", partial(_nearline, place), "sdfo init"), required=False)
    yield replace(asked("tape staging area", partial(_tape, place), "sdfo init"), required=False)
    if cluster:
        yield from on_cluster.findings(place)


def _java() -> Finding:
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home, "bin", "java")) if home else shutil.which("java")
    after = "make system (as root), or set JAVA_HOME"
    if java is None or not os.access(java, os.X_OK):
        return Finding("Java", False, "none" if java is None else f"{java} is not there", after)
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)([^"]*)"', said)
    if version is None:
        return Finding("Java", False, f"{java} does not tell its version", after)
    return Finding(
        "Java", int(version[1]) >= JAVA, f"{version[1]}{version[2]}, {java}", f"{after}: Java {JAVA} is needed"
    )


def _pyspark() -> Finding:
    """pyspark-client installs over pyspark's own folder and leaves half of each."""
    versions = {name: _version(name) for name in ("pyspark", "pyspark-client")}
    if versions["pyspark-client"] is not None:
        return Finding(
            "pyspark",
            False,
            f"overwritten by pyspark-client {versions['pyspark-client']}",
            "rm -rf .venv && make setup",
        )
    return Finding("pyspark", versions["pyspark"] is not None, versions["pyspark"] or "none", "make setup")


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _spark_home() -> Finding:
    spec = importlib.util.find_spec("pyspark")
    own = next(iter(spec.submodule_search_locations or ()), None) if spec else None
    home = os.environ.get("SPARK_HOME")
    if home is None:
        return Finding("SPARK_HOME", True, "not set: pyspark's own is used")
    same = own is not None and os.path.realpath(home) == os.path.realpath(own)
    return Finding("SPARK_HOME", same, home, f"export SPARK_HOME={own}")


def _openjpeg() -> Finding:
    from sdfo.jpeg2000 import openjpeg

    try:
        found = openjpeg.library()
    except SettingsError as error:
        return Finding("OpenJPEG", False, f"{error.what}: {error.found}", str(error.next_command))
    return Finding("OpenJPEG", True, f"{found.version}, {found.path}")


def _airflow() -> Finding:
    there = (DEFAULT_CONF.parents[1] / ".venv-airflow" / "bin" / "airflow").exists()
    found = ".venv-airflow" if there else "none: nights are started by hand"
    return Finding("Airflow", there, found, "make setup", required=False)


def _san(place: Place) -> str:
    place.san.identity()
    return f"id {place.san_id}"


def _store(place: Place) -> str:
    from sdfo.nightly import figures

    if place.site() is None:
        raise SdfoError("this archive was never initialised", next_command="sdfo init")
    place.change_store()
    free, total = place.store.free()
    return f"{place.settings.hdfs.root}, {figures.size(free)} of {figures.size(total)} free"


def _nearline(place: Place) -> str:
    from sdfo.nightly import figures

    free, total = place.nearline.free()
    return f"{place.settings.nearline.root}, {figures.size(free)} of {figures.size(total)} free"


def _tape(place: Place) -> str:
    from sdfo.tiers.tape.room import room

    return f"{place.settings.tape.root}, {room(place.tape, place.settings.tape).share:.0%} full"


def _catalog(place: Place) -> str:
    from sdfo.catalog.tables import HEAD

    place.catalog.runs(1)
    return f"version {HEAD}, {without_secrets(place.settings.catalog.url)}"
