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


@pytest.mark.parametrize(("address", "passed_on"), [("127.0.0.1", True), ("10.1.2.3", False), (None, False)])
def test_only_loopback_is_passed_on(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, address: str | None, passed_on: bool
) -> None:
    """Where all of the cluster is this machine, everything stays on loopback; else each node has its own address."""
    if address:
        monkeypatch.setenv("SPARK_LOCAL_IP", address)
    told = yarn.client(_settings(archive))
    names = {"spark.executorEnv.SPARK_LOCAL_IP", "spark.yarn.appMasterEnv.SPARK_LOCAL_IP", "spark.driver.host"}
    assert names <= told.keys() if passed_on else names.isdisjoint(told)
