"""What the containers of a cluster run: an interpreter with its packages, and this code; two archives on HDFS.

A container unpacks them side by side, as `env/` and `code/`. The interpreter's archive is named for its version and for
the digest of the lock file, the code's for its own digest: each is written once, and a container never runs another.
pyspark is not among the packages, for Spark brings its own. What the interpreter needs of the system (the C library,
OpenSSL, SQLite) is the node's: nodes run the same Debian as the host that ships.
"""

from __future__ import annotations

import gzip
import io
import platform
import secrets
import sys
import sysconfig
import tarfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from importlib import util
from importlib.metadata import Distribution, distribution
from pathlib import Path, PurePath
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import sdfo
from sdfo.conf import Hdfs
from sdfo.errors import Exists, SettingsError, StoreError
from sdfo.stores import CHUNK, Sink, Store, anew, open_store
from sdfo.stores.hdfs import site

ENV, CODE = "env", "code"
"""What they are called in a container."""
PYTHON = f"./{ENV}/bin/python3"

_PACKAGE = Path(sdfo.__file__).parent
_LOCK = _PACKAGE.parents[1] / "conf" / "locks" / "pipeline.txt"
_LIB = f"lib/python{sys.version_info.major}.{sys.version_info.minor}"
_NOT_SHIPPED = {
    "site-packages",
    "dist-packages",
    "test",
    "tests",
    "idlelib",
    "tkinter",
    "turtledemo",
    "lib2to3",
    "ensurepip",
}
"""Of the standard library: what a container never imports. (Its own packages are told apart below.)"""
_SPARKS_OWN = {"pyspark", "py4j"}


@dataclass(frozen=True, slots=True)
class Shipment:
    """`folder` is a URL, the others are names in it."""

    folder: str
    env: str
    code: str

    @property
    def archives(self) -> list[str]:
        """URLs, with the names that they get in a container: as Spark and Hadoop take them."""
        return [f"{self.folder}/{name}#{within}" for name, within in ((self.env, ENV), (self.code, CODE))]


def planned(settings: Hdfs) -> Shipment:
    """What this host would ship; nothing is opened but the lock file and the code."""
    return Shipment(
        settings.software or f"{settings.root}/software",
        f"python-{platform.python_version()}-{_env_digest()}.tar.gz",
        f"sdfo-{_code_digest()}.tar.gz",
    )


def ship(settings: Hdfs) -> Shipment:
    """Put on HDFS what of it is not there yet. `SettingsError` where there is no HDFS."""
    shipment = planned(settings)
    store = _software(shipment, settings)
    put_once(store, shipment.env, _fill_env)
    put_once(store, shipment.code, _fill_code)
    return shipment


def missing(settings: Hdfs) -> list[str]:
    """Names of what this host would ship and HDFS does not have. `SettingsError` where there is no HDFS."""
    shipment = planned(settings)
    store = _software(shipment, settings)
    return [name for name in (shipment.env, shipment.code) if not store.has(name)]


def put_once(store: Store, name: str, fill: Callable[[tarfile.TarFile], None]) -> None:
    """A .tar.gz under a name that says what is in it, unless it is there; who comes second throws away its own."""
    if store.has(name):
        return
    attempt = anew(store.write_retry_seconds, lambda: _attempt(store, name, fill))
    try:
        store.rename(attempt, name)
    except Exists:
        store.delete(attempt)


def _attempt(store: Store, name: str, fill: Callable[[tarfile.TarFile], None]) -> str:
    """A new file beside `name`; nothing is left behind where that fails."""
    attempt = f"{name}.{secrets.token_hex(8)}.part"
    try:
        with store.create(attempt) as sink:
            _pack(sink, fill)
    except BaseException:
        with suppress(StoreError):
            store.delete(attempt)
        raise
    return attempt


def _software(shipment: Shipment, settings: Hdfs) -> Store:
    if not shipment.folder.startswith("hdfs:"):
        raise SettingsError(
            "containers take their software from HDFS: hdfs.root",
            found=shipment.folder,
            next_command="set hdfs.root to a URL, hdfs://…",
        )
    return open_store(shipment.folder, settings)


def environ(conf_dir: str) -> dict[str, str]:
    """Of a container, for the Python in it, which speaks to HDFS itself. `conf_dir`: Hadoop's settings, in its folder."""
    found = {"HADOOP_CONF_DIR": conf_dir}
    if _library():
        found["LD_LIBRARY_PATH"] = f"{ENV}/lib"  # the interpreter is a small program before it
    if not site.site().kerberos:
        found["HADOOP_USER_NAME"] = site.user()
    return found


def _interpreter() -> Path:
    return Path(getattr(sys, "_base_executable", sys.executable)).resolve()


def _library() -> Path | None:
    """The interpreter's shared library; None where it needs none (Debian's says it is shared, and is not)."""
    name = sysconfig.get_config_var("INSTSONAME")
    if not sysconfig.get_config_var("Py_ENABLE_SHARED") or name.encode() not in _interpreter().read_bytes():
        return None
    return Path(sysconfig.get_config_var("LIBDIR"), name)


# ---- their names


def _env_digest() -> str:
    """Of the lock file; and of what it does not say: this interpreter, which packages are taken, and how it is packed."""
    try:
        lock = sha256(_LOCK.read_bytes()).hexdigest()[:16]
    except FileNotFoundError as error:
        raise SettingsError(
            "only a checkout with its lock file can be shipped to a cluster", next_command="git clone …, make setup"
        ) from error
    packages = [(dist.name, dist.version) for dist in _distributions()]
    binaries = [sha256(at.read_bytes()).hexdigest() for at in (_interpreter(), _library(), Path(__file__)) if at]
    return f"{lock}-{sha256(repr((packages, binaries)).encode()).hexdigest()[:8]}"


def _code_digest() -> str:
    files = ((str(at.relative_to(_PACKAGE)), sha256(at.read_bytes()).hexdigest()) for at in _code())
    return sha256(repr(list(files)).encode()).hexdigest()[:16]


def _code() -> list[Path]:
    return sorted(at for at in _PACKAGE.rglob("*") if at.is_file() and "__pycache__" not in at.parts)


# ---- what is in them


class _Out(io.RawIOBase):
    """A sink, as a file that tarfile and gzip write to."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self._sink.write(bytes(data))
        return len(data)


def _pack(sink: Sink, fill: Callable[[tarfile.TarFile], None]) -> None:
    """gzip, since YARN unpacks by the name's end; fast, since it crosses a network once a node."""
    with (
        io.BufferedWriter(_Out(sink), CHUNK) as out,
        gzip.GzipFile(filename="", mode="wb", fileobj=out, compresslevel=1, mtime=0) as packed,
        tarfile.open(mode="w|", fileobj=packed, dereference=True) as tar,
    ):
        fill(tar)


def _fill_code(tar: tarfile.TarFile) -> None:
    for at in _code():
        tar.add(at, f"sdfo/{at.relative_to(_PACKAGE)}")


def _fill_env(tar: tarfile.TarFile) -> None:
    """A prefix of its own: bin/, lib/ with the standard library, and the packages. Python finds it by where it lies."""
    tar.add(_interpreter(), "bin/python3")
    if library := _library():
        tar.add(library.resolve(), f"lib/{library.name}")
    tar.add(sysconfig.get_path("stdlib"), _LIB, filter=_of_use)
    # Debian's interpreter looks into dist-packages, all others into site-packages
    for folder in ("site-packages", "dist-packages"):
        _put_text(tar, f"{_LIB}/{folder}/sdfo.pth", f"../../../../{CODE}\n")
    _put_text(tar, f"{_LIB}/dist-packages/packages.pth", "../site-packages\n")
    for dist in _distributions():
        for at, name in _files(dist):
            tar.add(at, f"{_LIB}/site-packages/{name}")


def _of_use(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
    inner = PurePath(info.name).relative_to(_LIB).parts
    left_out = bool(inner) and (inner[0] in _NOT_SHIPPED or inner[0].startswith("config-"))
    return None if left_out else info


def _put_text(tar: tarfile.TarFile, name: str, text: str) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(text)
    tar.addfile(info, io.BytesIO(text.encode()))


def _distributions() -> list[Distribution]:
    """What sdfo needs, and what that needs: of an environment with ruff and mypy in it, the part that runs."""
    found, left = dict[str, Distribution](), [Requirement("sdfo")]
    while left:
        wanted = left.pop()
        name = canonicalize_name(wanted.name)
        if name not in _SPARKS_OWN and (name not in found or wanted.extras):
            found[name] = distribution(name)
            left += _needed(found[name], wanted.extras)
    del found["sdfo"]
    return [found[name] for name in sorted(found)]


def _needed(dist: Distribution, extras: Iterable[str]) -> Iterator[Requirement]:
    for requirement in map(Requirement, dist.requires or ()):
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield requirement


def _files(dist: Distribution) -> Iterator[tuple[Path, str]]:
    """Its modules and data with their bytecode; no commands, which name an interpreter elsewhere."""
    top = Path(str(dist.locate_file("")))
    for file in dist.files or ():
        at = Path(str(file.locate()))
        if ".." in file.parts or not at.is_file():
            continue
        yield at, str(file)
        if at.suffix == ".py":
            cached = Path(util.cache_from_source(str(at)))
            if cached.is_file() and "__pycache__" not in file.parts:
                yield cached, str(cached.relative_to(top))
