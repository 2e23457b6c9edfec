"""What a container of YARN finds on its node: asked for by `sdfo doctor --cluster`, answered by a Python in a container.

Executors import this: it asks for no more than SAN and store need.
"""

from __future__ import annotations

import os
import secrets
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import sdfo
from sdfo import conf
from sdfo.errors import SdfoError, StoreError
from sdfo.stores import open_store
from sdfo.tiers import nearline
from sdfo.tiers.san import San

_LEAST_SECONDS = 1.0
"""So long a look takes at the least: meanwhile the other containers get theirs."""


@dataclass(frozen=True, slots=True)
class Seen:
    """By one container. Empty where all is well, else what is not."""

    node: str
    container: str
    san: str
    hdfs: str
    software: str
    nearline: str = ""


def look(told: str, san_id: str, nearline_id: str = "") -> Seen:
    """`told`: the settings, as `Settings.of_a_worker` gives them, in JSON. No `nearline_id`: there is no such store yet."""
    until = time.monotonic() + _LEAST_SECONDS
    settings = conf.from_public(told)
    seen = Seen(
        os.environ.get("NM_HOST", ""),  # what its NodeManager is called in YARN (ApplicationConstants.Environment)
        os.environ.get("CONTAINER_ID", ""),
        _wrong(lambda: San(settings.san.root, settings.san.exam_depth).require(san_id)),
        _wrong(lambda: _write_and_read(settings.hdfs)),
        _foreign(),
        _wrong(lambda: _near(settings, nearline_id)) if nearline_id else "",
    )
    time.sleep(max(0.0, until - time.monotonic()))
    return seen


def _wrong(act: Callable[[], None]) -> str:
    """Said, not raised: a task that fails is repeated elsewhere, and what this node lacks would be known to nobody."""
    try:
        act()
    except SdfoError as error:
        return error.what
    except (ImportError, OSError) as error:
        return type(error).__name__
    return ""


def _write_and_read(settings: conf.Hdfs) -> None:
    store, probe = open_store(settings.root, settings), f"attempts/doctor/{secrets.token_hex(8)}"
    written = secrets.token_bytes(64)
    store.put(probe, written)
    try:
        if store.read_all(probe) != written:
            raise StoreError("HDFS gives back other bytes than were written")
    finally:
        store.delete(probe)


def _near(settings: conf.Settings, nearline_id: str) -> None:
    nearline.require(open_store(settings.nearline.root, settings.hdfs), nearline_id)


def _foreign() -> str:
    """Interpreter and code lie in the container's folder, or they are not what was shipped."""
    here = os.getcwd()
    found = {"Python": sys.prefix, "code": str(Path(sdfo.__file__).parent)}
    return ", ".join(f"{what} is {path}" for what, path in found.items() if not path.startswith(f"{here}/"))
