"""Settings: file, environment and flags, in that order; nothing unknown; no secret given away."""

from __future__ import annotations

import json
from datetime import time
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError
from sqlalchemy.engine import make_url

from sdfo.conf import Settings, from_public, load
from sdfo.errors import SettingsError

MINIMAL = """
[san]
root = "san"
[hdfs]
root = "hdfs"
[catalog]
url = "sqlite:///catalog.db"
[nearline]
root = "near line"
[tape]
root = "/tapes"
"""
CONTRACT = {
    "san": {"root", "exam_depth", "settle_minutes"},
    "hdfs": {"root"},
    "catalog": {"url"},
    "nearline": {"root"},
    "tape": {"root"},
    "night": {"start", "end", "timezone"},
}


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what a test sets."""
    import os

    for name in list(os.environ):
        if name.upper().startswith("SDFO__"):
            monkeypatch.delenv(name)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "settings.toml"
    path.write_text(MINIMAL)
    return path


def test_defaults(file: Path) -> None:
    """What a hospital need not say."""
    settings = load(file)
    assert (settings.engine, settings.san.exam_depth, settings.san.settle_minutes) == ("local", 1, 15)
    assert (settings.night.start, settings.night.end) == (time(20, 0), time(6, 0))
    assert settings.hdfs.max_record_mib == 64


def test_paths_count_from_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not from where the command runs; folders given to a store become URLs, the SAN stays a path."""
    monkeypatch.chdir("/")
    settings = load(file)
    assert settings.san.root == str(file.parent / "san")
    assert settings.hdfs.root == (file.parent / "hdfs").as_uri()
    assert settings.nearline.root == (file.parent / "near line").as_uri()
    assert settings.tape.root == "file:///tapes"
    assert settings.catalog.url == f"sqlite:///{file.parent / 'catalog.db'}"


def test_the_files_own_path_may_be_relative(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    assert load(file.name) == load(file)


@pytest.mark.parametrize(
    ("section", "key", "given", "read"),
    [
        ("hdfs", "root", "hdfs://namenode:8020/archive", "hdfs://namenode:8020/archive"),
        ("hdfs", "root", "file:///elsewhere", "file:///elsewhere"),
        ("catalog", "url", "postgresql+psycopg://u:p@host/sdfo", "postgresql+psycopg://u:p@host/sdfo"),
        ("catalog", "url", "sqlite:////absolute.db", "sqlite:////absolute.db"),
    ],
)
def test_what_is_absolute_stays(file: Path, section: str, key: str, given: str, read: str) -> None:
    assert getattr(getattr(load(file, **{section: {key: given}}), section), key) == read


def test_environment_over_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SDFO__SECTION__KEY, the other keys of the section as in the file."""
    monkeypatch.setenv("SDFO__SAN__EXAM_DEPTH", "3")
    monkeypatch.setenv("SDFO__ENGINE", "spark")
    monkeypatch.setenv("SDFO__NIGHT__START", "21:30")
    settings = load(file)
    assert (settings.san.exam_depth, settings.engine, settings.night.start) == (3, "spark", time(21, 30))
    assert settings.san.root == str(file.parent / "san")


def test_flags_over_environment(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDFO__ENGINE", "spark")
    monkeypatch.setenv("SDFO__SAN__SETTLE_MINUTES", "5")
    settings = load(file, engine="mrjob", san={"exam_depth": 2})
    assert (settings.engine, settings.san.exam_depth, settings.san.settle_minutes) == ("mrjob", 2, 5)


def test_a_relative_path_in_the_environment(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts from the file's folder as well: one rule."""
    monkeypatch.setenv("SDFO__SAN__ROOT", "other")
    assert load(file).san.root == str(file.parent / "other")


@pytest.mark.parametrize("extra", ["colour = 1\n", "[colour]\nred = 1\n", "[san]\nroot = 'x'\nroots = 'y'\n"])
def test_unknown_keys_are_refused(file: Path, extra: str) -> None:
    """At the top, as a section, in a section; the file is named."""
    text = MINIMAL.replace('[san]\nroot = "san"\n', "") if extra.startswith("[san]") else MINIMAL
    file.write_text(extra + text)
    with pytest.raises(SettingsError) as refused:
        load(file)
    assert refused.value.path == str(file)
    assert refused.value.exit_code == 2


@pytest.mark.parametrize("name", ["SDFO__SAN__ROOTS", "SDFO__COLOUR", "SDFO__COLOUR__RED"])
def test_unknown_variables_are_refused(file: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A variable that was misspelt must not be ignored in silence."""
    monkeypatch.setenv(name, "1")
    with pytest.raises(SettingsError):
        load(file)


def test_other_variables_are_none_of_ours(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SDFO_CONF and its like have one underscore."""
    monkeypatch.setenv("SDFO_CONF", "x")
    monkeypatch.setenv("SDFO_REAL_EXAMS", "x")
    load(file)


@pytest.mark.parametrize(
    "text",
    [
        "engine = 'hadoop'\n",
        "[night]\ntimezone = 'Mars/Olympus'\n",
        "[night]\nstart = '25:00'\n",
        "[limits]\nsame_error = 0\n",
        "[limits]\nfree = 1.5\n",
        "[convert]\nworkers = -1\n",
        "[convert]\nbatch_gib = 'many'\n",
        "site = ''\n",
        "not toml",
    ],
)
def test_values_out_of_bounds_are_refused(file: Path, text: str) -> None:
    file.write_text(text + MINIMAL)
    with pytest.raises(SettingsError):
        load(file)


def test_missing_keys_and_files(file: Path) -> None:
    """Each says what is missing."""
    file.write_text(MINIMAL.replace('root = "san"', ""))
    with pytest.raises(SettingsError, match="san"):
        load(file)
    with pytest.raises(SettingsError, match="no settings file") as refused:
        load(file.parent / "nothing.toml")
    assert refused.value.next_command


def test_settings_do_not_change(file: Path) -> None:
    settings = load(file)
    with pytest.raises(ValidationError):
        settings.engine = "spark"
    with pytest.raises(ValidationError):
        settings.san.root = "elsewhere"


def test_public_hides_secrets(file: Path) -> None:
    """Neither the catalog's password nor its host is in what a job is given."""
    shown = json.dumps(load(file, catalog={"url": "postgresql+psycopg://user:pa55@dbhost/sdfo"}).public())
    assert not [secret for secret in ("pa55", "dbhost", "user", "postgresql") if secret in shown]


def test_from_public(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All but the catalog's URL comes through, whatever the environment of the job says."""
    settings = load(file, engine="spark", san={"exam_depth": 4}, night={"start": "22:15"}, site="north")
    text = json.dumps(settings.public())
    monkeypatch.setenv("SDFO__ENGINE", "mrjob")
    monkeypatch.setenv("SDFO__SAN__ROOT", "elsewhere")
    monkeypatch.chdir("/")
    again = from_public(text)
    assert again.public() == settings.public()
    assert again.night == settings.night
    assert again.san == settings.san
    assert again.catalog.url != settings.catalog.url


def test_every_field_explains_itself() -> None:
    """A description with unit and reason, for `sdfo config`; and the keys that others rely on are there."""
    for name, field in Settings.model_fields.items():
        section = getattr(field.annotation, "model_fields", None)
        assert field.description if section is None else all(f.description for f in section.values()), name
        assert CONTRACT.get(name, set()) <= set(section or ())
    assert set(Settings.model_fields) >= {*CONTRACT, "engine"}


def test_the_default_file_of_the_checkout() -> None:
    """conf/embedded.toml is complete, and everything it names lies in the checkout."""
    checkout = Path(__file__).parents[1]
    settings = load(checkout / "conf" / "embedded.toml")
    assert settings.san.root == str(checkout / "var" / "san")
    assert settings.hdfs.root == (checkout / "var" / "hdfs").as_uri()


def test_the_file_for_a_cluster() -> None:
    """conf/cluster.toml: HDFS, Spark and mrjob on YARN, PostgreSQL; mrjob's file is beside it; no secret in either."""
    folder = Path(__file__).parents[1] / "conf"
    settings = load(folder / "cluster.toml")
    assert (settings.engine, settings.spark.master, settings.mrjob.runner) == ("spark", "yarn", "hadoop")
    assert settings.hdfs.root.startswith("hdfs://")
    assert Path(settings.san.root).is_absolute()
    assert settings.mrjob.conf == str(folder / "mrjob.conf")
    assert list(yaml.safe_load((folder / "mrjob.conf").read_text())["runners"]) == ["hadoop"]
    url = make_url(settings.catalog.url)
    assert (url.drivername, url.password) == ("postgresql+psycopg", None)
    assert not [name for name in settings.spark.properties if "secret" in name or "password" in name]


def test_a_slash_at_the_end_of_a_url_is_none(file: Path) -> None:
    """Paths are put behind it: of root and of software alike."""
    settings = load(file, hdfs={"root": "hdfs://archive/sdfo/", "software": "hdfs://archive/sw//"})
    assert (settings.hdfs.root, settings.hdfs.software) == ("hdfs://archive/sdfo", "hdfs://archive/sw")
