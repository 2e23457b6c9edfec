"""Settings: one TOML file, then SDFO__SECTION__KEY environment variables, then flags; frozen once read.

Only the edge (`cli`, `jobs/`) reads files and the environment, through `load`; library functions receive `Settings`.
A relative path counts from the folder of the TOML file. An unknown key is an error. `sdfo config` prints every field.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Literal, Self, TypeGuard
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from sdfo.conf.expire import Expire, ExpirePolicy
from sdfo.conf.sections import (
    Backfill,
    Catalog,
    Convert,
    Hdfs,
    Limits,
    Lossy,
    Mrjob,
    Nearline,
    Night,
    Region,
    San,
    Section,
    Spark,
    Tape,
)
from sdfo.errors import SettingsError

__all__ = [
    "GIB",
    "MIB",
    "Backfill",
    "Catalog",
    "Convert",
    "Expire",
    "ExpirePolicy",
    "Hdfs",
    "Limits",
    "Lossy",
    "Mrjob",
    "Nearline",
    "Night",
    "Region",
    "San",
    "Settings",
    "Spark",
    "Tape",
    "from_public",
    "load",
]

MIB, GIB = 1024**2, 1024**3


class Settings(BaseSettings):
    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix="SDFO__", env_nested_delimiter="__")

    site: str = Field(
        "sdfo",
        min_length=1,
        description="name of this site; enters the UIDs given to exams that have none: never change it",
    )
    engine: Literal["local", "spark", "mrjob"] = Field(
        "local", description="what runs Map and Reduce: this process and its workers, Spark, or mrjob"
    )
    san: San
    hdfs: Hdfs
    catalog: Catalog
    nearline: Nearline
    tape: Tape
    night: Night = Night()
    backfill: Backfill = Backfill()
    convert: Convert = Convert()
    region: Region = Region()
    spark: Spark = Spark()
    mrjob: Mrjob = Mrjob()
    limits: Limits = Limits()
    lossy: Lossy = Lossy()
    expire: Expire = Expire()

    @model_validator(mode="after")
    def _codecs_differ(self) -> Self:
        """No exam's copies may all depend on one codec."""
        near = {self.nearline.codec, *self.nearline.codecs.values()}
        if self.tape.codec != "original" and self.tape.codec in near:
            raise ValueError("tape.codec is one of near-line's: no exam's copies may all depend on one codec")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    def of_a_worker(self) -> dict[str, Any]:
        """`public` without where engines run: a worker starts none, and Spark's properties may hold a secret."""
        return self.public() | {"spark": {}, "mrjob": {}}

    def public(self) -> dict[str, Any]:
        """Everything but secrets: what a job is given and `sdfo config` prints. Executors never get the catalog's URL."""
        shown = self.model_dump(mode="json")
        shown["catalog"]["url"] = "(hidden)"
        return shown


def load(path: str | os.PathLike[str], **flags: Any) -> Settings:
    """The settings of the TOML file at `path`, overridden by the environment, overridden by `flags`.

    A `.json` is what a job is sent to a cluster with: complete and final, as `public` gives it, with the catalog's URL.
    """
    file = Path(path).absolute()
    if not file.is_file():
        raise SettingsError("no settings file", path=str(file), next_command="sdfo --conf FILE …, or set SDFO_CONF")
    if file.suffix == ".json":
        return from_public(file.read_text()).model_copy(update=flags)

    _refuse_unknown_variables()

    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=file)

    try:
        read = FromFile(**flags)
        return _anchored(
            Settings.model_construct(**{name: getattr(read, name) for name in Settings.model_fields}), file.parent
        )
    except ValidationError as error:
        raise SettingsError(f"settings refused: {_refusals(error)}", path=str(file)) from error
    except ValueError as error:
        raise SettingsError(f"settings refused: {error}", path=str(file)) from error


def _refusals(error: ValidationError) -> str:
    """On one line, and without the values: a URL may hold a password."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return ", ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in found)


def _refuse_unknown_variables() -> None:
    """pydantic-settings looks up the variables it knows; a misspelt section would be ignored in silence."""
    for name in os.environ:
        prefix, _, rest = name.lower().partition("__")
        if prefix == "sdfo" and rest.partition("__")[0] not in Settings.model_fields:
            raise SettingsError("no such setting", expected="SDFO__SECTION__KEY", found=name)


def from_public(text: str) -> Settings:
    """Settings that `public` gave to a job as JSON: complete, absolute, without secrets; no file or variable is read."""
    data = json.loads(text)
    kinds = {name: field.annotation for name, field in Settings.model_fields.items()}
    read = {name: kind.model_validate(data[name]) for name, kind in kinds.items() if _is_section(kind)}
    return Settings.model_construct(**data | read)


def _is_section(kind: Any) -> TypeGuard[type[Section]]:
    return isinstance(kind, type) and issubclass(kind, Section)


def _anchored(settings: Settings, folder: Path) -> Settings:
    """Paths made absolute, folders given to a store made URLs."""
    change = {
        "san": settings.san.model_copy(update={"root": str((folder / settings.san.root).resolve())}),
        "catalog": settings.catalog.model_copy(update={"url": _catalog_url(settings.catalog.url, folder)}),
        "mrjob": settings.mrjob.model_copy(update={"conf": settings.mrjob.conf and str(folder / settings.mrjob.conf)}),
    }
    for tier in ("hdfs", "nearline", "tape"):
        section = getattr(settings, tier)
        change[tier] = section.model_copy(update={"root": _store_url(section.root, folder)})
    if settings.hdfs.software:
        software = _store_url(settings.hdfs.software, folder)
        change["hdfs"] = change["hdfs"].model_copy(update={"software": software})
    return settings.model_copy(update=change)


def _store_url(root: str, folder: Path) -> str:
    return root.rstrip("/") if urlsplit(root).scheme else (folder / root).resolve().as_uri()


def _catalog_url(url: str, folder: Path) -> str:
    scheme, slashes, path = url.partition(":///")
    if not scheme.startswith("sqlite") or not slashes or path.startswith("/"):
        return url
    return f"{scheme}:///{(folder / path).resolve()}"
