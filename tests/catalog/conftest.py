"""Every test of behaviour runs on SQLite and on a real PostgreSQL, each time in a catalog of its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sdfo.catalog import Catalog
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
def postgres_template(server: Server) -> str:
    return _upgraded(server.database())


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
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """Makes URLs of new catalogs without a row."""
    if request.param == "postgresql":
        server: Server = request.getfixturevalue("server")
        template: str = request.getfixturevalue("postgres_template")
        return lambda: server.database(template)
    source: Path = request.getfixturevalue("sqlite_template")
    numbers = iter(range(1000))
    return lambda: f"sqlite:///{shutil.copy(source, tmp_path / f'catalog-{next(numbers)}.db')}"


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
