"""Every test of behaviour runs on SQLite and on a real PostgreSQL, each time in a catalog of its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from sdfo.catalog import Catalog
from sdfo.catalog.tables import HEAD, metadata
from sdfo.stores.local import LocalStore
from sdfo.testing.postgres import Server, postgres

DATABASES = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    try:
        with postgres() as running:
            yield running
    except FileNotFoundError as missing:
        pytest.fail(str(missing), pytrace=False)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("catalog") / "template.db"
    _upgraded(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_catalogs(server: Server) -> list[str]:
    """URLs of upgraded catalogs that no test uses now."""
    return []


def _upgraded(url: str) -> str:
    made = Catalog(url)
    made.upgrade()
    made.close()
    return url


@pytest.fixture(params=DATABASES)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a database without any table."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/empty.db"
    server: Server = request.getfixturevalue("server")
    return server.database()


@pytest.fixture(params=DATABASES)
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Makes URLs of new catalogs without a row."""
    if request.param == "sqlite":
        source: Path = request.getfixturevalue("sqlite_template")
        numbers = iter(range(1000))
        yield lambda: f"sqlite:///{shutil.copy(source, tmp_path / f'catalog-{next(numbers)}.db')}"
        return
    server: Server = request.getfixturevalue("server")
    spare: list[str] = request.getfixturevalue("postgres_catalogs")
    used = []

    def new() -> str:
        used.append(spare.pop() if spare else _upgraded(server.database()))
        return used[-1]

    yield new
    for url in used:
        _emptied(url)
        spare.append(url)


def _emptied(url: str) -> None:
    engine = create_engine(url)
    with engine.begin() as conn:
        conn.execute(text(f"UPDATE alembic_version SET version_num = '{HEAD}'"))
        conn.execute(text(f"TRUNCATE {', '.join(metadata.tables)} RESTART IDENTITY"))
    engine.dispose()


@pytest.fixture
def url(new_url: Callable[[], str]) -> str:
    return new_url()


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "hdfs")


@pytest.fixture
def catalog(url: str, store: LocalStore) -> Iterator[Catalog]:
    opened = Catalog(url, store)
    yield opened
    opened.close()
