"""All settings, what each means, and where its value came from."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import typer

from sdfo.cli.app import given
from sdfo.cli.show import Answer, Table


def register(app: typer.Typer) -> None:
    app.command(rich_help_panel="Care")(config)


def config(ctx: typer.Context) -> Answer:
    """Every setting: value, source, meaning. Secrets are hidden."""
    words = given(ctx)
    settings = words.settings()
    with open(words.conf, "rb") as file:
        written = tomllib.load(file)
    rows = [_row(path, field, settings, written) for path, field in _fields(type(settings).model_fields)]
    table = Table(("setting", "value", "from", "meaning"), [tuple(row.values()) for row in rows])
    policies = [*_policies(settings)]
    shown = Table(tuple(policies[0]), [tuple(row.values()) for row in policies])
    data = {"file": words.conf.absolute(), "settings": rows, "policies": policies}
    return Answer(data, [f"{words.conf.absolute()}", "", table, "", "what these say of each modality:", "", shown])


def _policies(settings: Any) -> Iterator[dict[str, str]]:
    """What becomes of exams by modality: of each that any setting names, and of all others."""
    lossy, expire = settings.lossy, settings.expire
    named = {*settings.nearline.codecs, *settings.region.methods, *lossy.modalities, *expire.modalities}
    for modality in (*sorted(named), ""):
        yield _policy(settings, modality, lossy.ceilings.get(modality) if modality in lossy.modalities else None)


def _policy(settings: Any, modality: str, ceiling: float | None) -> dict[str, str]:
    from sdfo.model import Tier
    from sdfo.nightly.freeing import gate

    own = (modality,) if modality else ()
    terms = {tier: gate.terms(settings.expire, tier, own) for tier in (Tier.SAN, Tier.HDFS, Tier.NEARLINE)}
    days = {tier: "for ever" if each.days is None else f"{each.days:g} days" for tier, each in terms.items()}
    copies = [tier for tier in Tier if tier in terms[Tier.SAN].copies]
    return {
        "modality": modality or "any other",
        "HDFS codec": "original",
        "near-line codec": settings.nearline.codecs.get(modality, settings.nearline.codec),
        "lossy objects": "none" if ceiling is None else f"at most {ceiling:g}:1",
        "on the SAN": days[Tier.SAN],
        "on HDFS": days[Tier.HDFS],
        "on near-line": days[Tier.NEARLINE],
        "copies before any goes": ", ".join(copies),
    }


def _fields(fields: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, field in fields.items():
        below = getattr(field.annotation, "model_fields", None)
        if below is None:
            yield (*above, name), field
        else:
            yield from _fields(below, (*above, name))


def _row(path: tuple[str, ...], field: Any, settings: Any, written: Mapping[str, Any]) -> dict[str, str]:
    value = settings
    for name in path:
        value = getattr(value, name)
    shown = without_secrets(value) if path == ("catalog", "url") else str(value)
    return {
        "setting": ".".join(path),
        "value": shown,
        "from": _origin(path, written),
        "meaning": field.description or "",
    }


def _origin(path: tuple[str, ...], written: Mapping[str, Any]) -> str:
    if any(name.upper() == f"SDFO__{'__'.join(path)}".upper() for name in os.environ):
        return "environment"
    place: Any = written
    for name in path:
        place = place.get(name) if isinstance(place, Mapping) else None
    return "default" if place is None else "file"


def without_secrets(url: str) -> str:
    """A database's URL without user, password and query."""
    parts = urlsplit(url)
    host = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname or ""
    return f"{parts.scheme}://{host}{parts.path}"
