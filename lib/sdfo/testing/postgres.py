"""A PostgreSQL server of a test's own: started in a temporary folder, on a free port of 127.0.0.1, and gone afterwards.

python -m sdfo.testing.postgres COMMAND…: run a command whose catalog is a new database of such a server.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sqlalchemy import create_engine, text

from sdfo.testing import ports

INSTALL = "apt-get install postgresql"


@dataclass(frozen=True, slots=True)
class Server:
    """`url` is the superuser's, without a database."""

    url: str

    def database(self) -> str:
        """The URL of a new database, empty. Each is 8 MB on disk: use one again where that will do."""
        name = f"t{secrets.token_hex(6)}"
        engine = create_engine(f"{self.url}/postgres", isolation_level="AUTOCOMMIT")
        with engine.connect() as conn:
            conn.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return f"{self.url}/{name}"


@contextmanager
def postgres(*, durable: bool = False) -> Iterator[Server]:
    """Raises FileNotFoundError with what to install where there is no PostgreSQL. `durable`: with fsync, for timings.

    The server dies with the process that asked for it, also by SIGKILL.
    """
    programs, folder = _programs(), Path(tempfile.mkdtemp(prefix="sdfo-pg-"))
    try:
        _hand_over(folder)
        data, port = folder / "data", ports.free()
        places: list[str | Path] = ["-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", folder]
        with open(folder / "log", "wb") as log:
            _initialise(programs, data, log)
            server = _start([programs / "postgres", *places, "-c", f"fsync={'on' if durable else 'off'}"], log)
            try:
                _await([programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)], server, folder / "log")
                yield Server(f"postgresql+psycopg://postgres@127.0.0.1:{port}")
            finally:
                server.send_signal(signal.SIGQUIT)  # at once, nothing saved (PostgreSQL 15, section 19.5)
                server.wait(60)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    """Debian keeps them out of PATH, one folder a version; the newest."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    if not found and on_path is None:
        raise FileNotFoundError(f"there is no PostgreSQL here: {INSTALL}")
    return found[-1].parent if found else Path(str(on_path)).parent


def _hand_over(folder: Path) -> None:
    """PostgreSQL refuses to run as root: Debian's own user runs it then."""
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)


def _initialise(programs: Path, data: Path, log: IO[bytes]) -> None:
    options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
    if _start([programs / "initdb", "-D", data, *options], log).wait(60) != 0:
        raise RuntimeError(f"initdb failed: {Path(log.name).read_text(errors='replace')}")


def _start(command: Sequence[str | Path], log: IO[bytes]) -> subprocess.Popen[bytes]:
    as_user = ["--reuid", "postgres", "--regid", "postgres", "--init-groups"] if os.geteuid() == 0 else []
    bound = ["setpriv", *as_user, "--pdeathsig", "INT", "--"]
    return subprocess.Popen([*bound, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/")


def _await(ready: Sequence[str | Path], server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 60
    while subprocess.run(ready, cwd="/").returncode != 0:
        if server.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"PostgreSQL did not start: {log.read_text(errors='replace')}")
        time.sleep(0.05)


def main(command: Sequence[str]) -> int:
    with postgres() as server:
        environ = {**os.environ, "SDFO__CATALOG__URL": server.database()}
        return subprocess.run(command, env=environ, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
