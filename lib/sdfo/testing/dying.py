"""Work that is killed: in a child of this process, at a crash point or at one of its fsyncs, as kill -9 does."""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable
from typing import Any

Work = Callable[[], object]


def child(work: Work) -> int:
    """How a child of this process ends that does this work: its exit code, or minus the signal."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException:  # noqa: BLE001 a fault must not go on as a second pytest
            traceback.print_exc()
            os._exit(2)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def killed_at(point: str, work: Work) -> bool:
    """Whether `work` met its death at this crash point."""

    def dying() -> None:
        os.environ["SDFO_CRASH_AT"] = point
        work()

    return child(dying) == -signal.SIGKILL


def killed_at_fsync(number: int, work: Work) -> bool:
    """Whether `work` met its death when it made something durable for the `number`-th time; `RuntimeError` if it failed instead."""

    def dying() -> None:
        real, passed = os.fsync, 0

        def fsync(fd: Any) -> None:
            nonlocal passed
            passed += 1
            if passed == number:
                os.kill(os.getpid(), signal.SIGKILL)
            real(fd)

        os.fsync = fsync
        work()

    code = child(dying)
    if code not in (0, -signal.SIGKILL):
        raise RuntimeError(f"the work failed, nobody killed it: exit code {code}")
    return code != 0
