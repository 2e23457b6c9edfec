"""A PostgreSQL server of a test's own: started in a temporary folder, on a free port of 127.0.0.1, and gone afterwards."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import create_engine, text

INSTALL = "apt-get install postgresql"


@dataclass(frozen=True, slots=True)
class Server:
    """`url` is the superuser's, without a database."""

    url: str

    def database(self, template: str | None = None) -> str:
        """The URL of a new database, empty or a copy of the one at `template`."""
        name = f"t{secrets.token_hex(6)}"
        source = "" if template is None else f" TEMPLATE {template.rpartition('/')[2]} STRATEGY file_copy"
        engine = create_engine(f"{self.url}/postgres", isolation_level="AUTOCOMMIT")
        with engine.connect() as conn:
            conn.execute(text(f"CREATE DATABASE {name}{source}"))
        engine.dispose()
        return f"{self.url}/{name}"


@contextmanager
def postgres(*, durable: bool = False) -> Iterator[Server]:
    """Raises FileNotFoundError with what to install where there is no PostgreSQL. `durable`: with fsync, for timings."""
    programs, folder = _programs(), Path(tempfile.mkdtemp(prefix="sdfo-pg-"))
    try:
        _hand_over(folder)
        data, port = folder / "data", _free_port()
        _run(
            [programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        )
        options = f"-h 127.0.0.1 -p {port} -k {folder} -c fsync={'on' if durable else 'off'}"
        control = [programs / "pg_ctl", "-D", data, "-w", "-s"]
        _run([*control, "-l", folder / "log", "-o", options, "start"])
        try:
            yield Server(f"postgresql+psycopg://postgres@127.0.0.1:{port}")
        finally:
            _run([*control, "-m", "fast", "stop"])
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


def _run(command: Sequence[str | Path]) -> None:
    """`pg_ctl` leaves the server with our output, so no pipe is handed to it: reading one would not end."""
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    with tempfile.TemporaryFile() as output:
        ended = subprocess.run([*as_user, *command], stdout=output, stderr=output, stdin=subprocess.DEVNULL, cwd="/")
        if ended.returncode != 0:
            output.seek(0)
            raise RuntimeError(f"{Path(command[0]).name} failed: {output.read().decode(errors='replace')}")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
