"""What a Hadoop cluster needs of this host: the software of its containers."""

from __future__ import annotations

from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from sdfo.cli.app import given
from sdfo.cli.show import Answer


def register(app: typer.Typer) -> None:
    app.command(rich_help_panel="Care")(ship)


def ship(
    ctx: typer.Context,
    submit: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Also write there what spark-submit takes to run a driver in a container."),
    ] = None,
) -> Answer:
    """Put on HDFS what a cluster's containers run: interpreter, packages, this code. Each is written once.

    The engines do so by themselves; this says where it is, and does it before the first night.
    """
    from sdfo.nightly import shipment

    settings = given(ctx).settings()
    shipped = shipment.ship(settings.hdfs)
    text = [f"{shipped.folder}/{name}" for name in (shipped.env, shipped.code)]
    if submit is None:
        return Answer(shipped, text)
    submit.mkdir(parents=True, exist_ok=True)
    file = import_module("sdfo.spark.yarn").cluster(settings, submit.absolute())  # what imports Spark is asked by name
    after = f"next: spark-submit --properties-file {file} jobs/convert_exams.py --run ID"
    return Answer(asdict(shipped) | {"properties": file}, [*text, after])
