"""What the numbers were measured on."""

from __future__ import annotations

import os
import platform
import re
import time
from pathlib import Path


def described(folder: Path) -> str:
    """One paragraph: date, processor, cores, memory, file system."""
    cpu = _first(r"^model name\s*: (.+)$", "/proc/cpuinfo") or platform.machine()
    memory = int(_first(r"^MemTotal:\s*(\d+)", "/proc/meminfo") or 0) / 1e6
    sha = ", SHA instructions" if _first(r"\b(sha_ni|sha2)\b", "/proc/cpuinfo") else ""
    return (
        f"{time.strftime('%Y-%m-%d %H:%M')} · {os.cpu_count()} cores ({cpu}{sha}), {memory:.0f} GB · "
        f"{_file_system(folder)} · {platform.system()} · Python {platform.python_version()}"
    )


def _first(pattern: str, path: str) -> str | None:
    found = re.search(pattern, Path(path).read_text(), re.MULTILINE)
    return found and found[1]


def _file_system(folder: Path) -> str:
    """The type of the mount that `folder` is on: that of the longest mount point above it."""
    mounts = (line.split()[1:3] for line in Path("/proc/self/mounts").read_text().splitlines())
    above = [(len(point), kind) for point, kind in mounts if folder.resolve().is_relative_to(point)]
    return max(above)[1]
