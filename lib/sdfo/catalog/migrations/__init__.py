"""The schema's history, oldest first in `versions/`; a catalog is brought forward by `upgrade` and never backward."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError

from sdfo.catalog.connecting import create_file
from sdfo.catalog.engine import Database
from sdfo.errors import CatalogError


def configuration() -> Config:
    """Alembic's settings, without a file: the scripts are in this package, the connection comes as an attribute."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def upgrade(database: Database, to: str = "head") -> None:
    """All missing steps, up to version `to`, in one transaction; the database is created first where it is a file."""
    create_file(database.url)
    config = configuration()
    with database.write(checked=False) as conn:
        config.attributes["connection"] = conn
        try:
            command.upgrade(config, to)
        except CommandError as error:
            raise CatalogError("the catalog was made by a later version of this software") from error
