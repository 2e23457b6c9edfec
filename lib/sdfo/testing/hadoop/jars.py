"""The jars: gathered once by Maven from the pinned list in conf/hadoop/pom.xml, each compared with conf/hadoop/jars.lock.

The lock is what sha256sum(1) writes, so `cd .hadoop/jars && sha256sum --check ../../conf/hadoop/jars.lock` says the same.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
POM, LOCK = ROOT / "conf" / "hadoop" / "pom.xml", ROOT / "conf" / "hadoop" / "jars.lock"
JARS = ROOT / ".hadoop" / "jars"
INSTALL = "apt-get install maven"


def gather() -> Path:
    """The folder of the jars, complete and compared with the lock; Maven is asked only where it is not.

    FileNotFoundError with what to install where there is no Maven; RuntimeError where what came is not what was locked.
    """
    with _alone():
        if faults(JARS):
            _replace(_fetch())
    return JARS


def lock() -> int:
    """Gather anew and write down what came: after a change of the pom. How many jars."""
    with _alone():
        fetched = _fetch()
        LOCK.write_text("".join(f"{digest}  {name}\n" for name, digest in sorted(_digests(fetched).items())))
        _replace(fetched)
    return len(locked())


def locked() -> dict[str, str]:
    """Name of each jar → its SHA-256."""
    lines = (line.split(maxsplit=1) for line in LOCK.read_text().splitlines())
    return {name: digest for digest, name in lines}


def faults(folder: Path) -> list[str]:
    """The jars that are missing, too many, or other than the lock says."""
    found, wanted = _digests(folder), locked()
    return sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))


def _digests(folder: Path) -> dict[str, str]:
    return {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in folder.glob("*")}


def _fetch() -> Path:
    """A new folder beside the final one, filled by Maven."""
    maven = shutil.which("mvn")
    if maven is None:
        raise FileNotFoundError(f"there is no Maven here: {INSTALL}")
    folder = tempfile.mkdtemp(prefix="jars-", dir=JARS.parent)
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={folder}"]
    done = subprocess.run(
        [maven, "--batch-mode", "--quiet", "--file", POM, *goal], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if done.returncode != 0:
        shutil.rmtree(folder)
        raise RuntimeError(f"Maven could not gather Hadoop's jars:\n{done.stdout.decode(errors='replace')[-3000:]}")
    return Path(folder)


def _replace(fetched: Path) -> None:
    """Make `fetched` the folder of the jars, if it holds what is locked."""
    try:
        wrong = faults(fetched)
        if wrong:
            raise RuntimeError(f"{len(wrong)} jar(s) are not those of conf/hadoop/jars.lock: {', '.join(wrong[:9])}")
        shutil.rmtree(JARS, ignore_errors=True)
        fetched.rename(JARS)
    finally:
        shutil.rmtree(fetched, ignore_errors=True)


@contextmanager
def _alone() -> Iterator[None]:
    """One at a time: several test runs may want the jars at once."""
    JARS.parent.mkdir(exist_ok=True)
    fd = os.open(JARS.parent / "lock", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
