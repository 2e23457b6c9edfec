"""What Spark is told for YARN: no secret travels, and the settings have the last word."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sdfo import conf
from sdfo.errors import SettingsError
from sdfo.nightly import shipment
from sdfo.spark import yarn
from sdfo.testing.archive import Archive, new_archive


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return new_archive(tmp_path)


@pytest.fixture(autouse=True)
def shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if it lay on HDFS: that it does is for tests/hadoop to see."""
    monkeypatch.setattr(shipment, "ship", shipment.planned)
    monkeypatch.setenv("PYSPARK_PYTHON", "restored afterwards")
    for name in ("HADOOP_CONF_DIR", "SPARK_LOCAL_IP"):
        monkeypatch.delenv(name, raising=False)


def _settings(archive: Archive, **properties: str) -> conf.Settings:
    given = {"spark.yarn.jars": "local:/jars/*"} | properties
    return archive.settings(spark={"master": "yarn", "properties": given}, hdfs={"root": "hdfs://archive/sdfo"})


def test_a_password_does_not_travel(archive: Archive, tmp_path: Path) -> None:
    """A driver in a container gets its settings as a file, which executors could read too."""
    settings = _settings(archive).model_copy(
        update={"catalog": conf.Catalog(url="postgresql+psycopg://sdfo:secret@db/sdfo")}
    )
    with pytest.raises(SettingsError, match="password") as refused:
        yarn.cluster(settings, tmp_path)
    assert "secret" not in str(refused.value)
    assert not (tmp_path / "settings.json").exists()


def test_a_driver_in_a_container_reads_the_same_settings(archive: Archive, tmp_path: Path) -> None:
    """All of them, with the catalog's URL; the file is its owner's alone."""
    settings = _settings(archive)
    file = yarn.cluster(settings, tmp_path)
    assert conf.load(tmp_path / "settings.json") == settings
    assert (tmp_path / "settings.json").stat().st_mode & 0o777 == 0o600
    told = dict(line.split(" ", 1) for line in file.read_text().splitlines())
    assert told["spark.submit.deployMode"] == "cluster"
    assert told["spark.yarn.dist.files"] == str(tmp_path / "settings.json")
    assert told["spark.yarn.appMasterEnv.SDFO_CONF"] == "settings.json"


def test_executors_are_not_told_of_the_catalog(archive: Archive) -> None:
    told = yarn.client(_settings(archive))
    assert "sqlite" not in json.dumps(told)


def test_it_is_safe_unless_the_settings_say_otherwise(archive: Archive) -> None:
    """Authenticated, encrypted on the wire and on disk, no page of its own; the settings' properties come last."""
    told = yarn.client(_settings(archive, **{"spark.ui.enabled": "true"}))
    for name in ("spark.authenticate", "spark.network.crypto.enabled", "spark.io.encryption.enabled"):
        assert told[name] == "true"
    assert told["spark.ui.enabled"] == "true"
    assert told["spark.yarn.maxAppAttempts"] == "1"


def test_loopback_is_no_address_for_a_cluster(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused at once, rather than after minutes in which no executor reaches the driver; unless all is one machine."""
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    with pytest.raises(SettingsError, match="loopback"):
        yarn.client(_settings(archive))
    assert yarn.client(_settings(archive, **{"spark.driver.host": "127.0.0.1"}))["spark.driver.host"] == "127.0.0.1"


def test_a_password_in_the_query_does_not_travel_either(archive: Archive, tmp_path: Path) -> None:
    """SQLAlchemy takes it there too."""
    url = "postgresql+psycopg://sdfo@db/sdfo?password=secret"
    with pytest.raises(SettingsError, match="password"):
        yarn.cluster(_settings(archive).model_copy(update={"catalog": conf.Catalog(url=url)}), tmp_path)


def test_a_job_tells_nothing_of_where_engines_run(archive: Archive) -> None:
    """What each task is sent has no property of Spark's: one may be a secret."""
    job = archive.place(spark={"properties": {"spark.some.secret": "s3cret"}}).job
    assert "s3cret" not in job.to_json()
