"""Run a command as somebody whom file permissions bind, also where the tests run as root."""

from __future__ import annotations

import os
from collections.abc import Sequence

_CAPABILITIES = "-dac_override,-dac_read_search"  # capabilities(7): what lets root read a file of mode 0


def unprivileged(command: Sequence[str]) -> list[str]:
    """`command`, through setpriv(1) of util-linux if we are root: root all the same, but permission bits bind it.

    Both sets, because exec gives root the inheritable and the bounding set (capabilities(7)).
    """
    if os.geteuid() != 0:
        return list(command)
    return ["setpriv", "--bounding-set", _CAPABILITIES, "--inh-caps", _CAPABILITIES, "--", *command]
