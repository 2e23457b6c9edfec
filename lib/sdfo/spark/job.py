"""A step as a Spark application: arguments in, one call, one report out as a JSON line, and an exit code."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict
from typing import Any

from sdfo import conf
from sdfo.errors import SdfoError, places
from sdfo.nightly.engines import Engine, Progress
from sdfo.nightly.place import Place
from sdfo.spark.engine import SparkEngine

Step = Callable[[Place, Engine, Progress], Any]


def run_step(name: str, step: Step, argv: Sequence[str]) -> int:
    """Run one step of a run; the exit code is the error's, as on the command line."""
    parser = argparse.ArgumentParser(prog=name)
    parser.add_argument("--run", required=True, help="the run's id")
    parser.add_argument("--conf", default=os.environ.get("SDFO_CONF"), help="settings; default: $SDFO_CONF")
    arguments = parser.parse_args(argv)
    try:
        place = Place(conf.load(arguments.conf or "", engine="spark"), arguments.run)
        with closing(SparkEngine.of(place.settings)) as engine:
            print(json.dumps({"step": name, "run": place.run} | asdict(step(place, engine, _line))), flush=True)
    except SdfoError as error:
        print(f"{name}: {error}", file=sys.stderr, flush=True)
        return error.exit_code
    except Exception as error:  # noqa: BLE001 the outer edge
        sys.stderr.writelines(places(error))
        return 1
    return 0


def _line(done: int, total: int, what: str) -> None:
    print(f"{done}/{total} {what}", file=sys.stderr, flush=True)
