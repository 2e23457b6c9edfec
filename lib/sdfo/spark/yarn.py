"""Spark on YARN: what its containers run, where they find Hadoop's settings, and as whom they speak to HDFS."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyspark
from sqlalchemy.engine import make_url

from sdfo.conf import Settings
from sdfo.errors import SettingsError
from sdfo.nightly import shipment
from sdfo.stores import open_store

_ARCHIVES = "spark.yarn.dist.archives"
_CONTAINERS = ("spark.executorEnv.", "spark.yarn.appMasterEnv.")
_SET = {
    "spark.speculation": "false",  # two tasks must not write one exam
    "spark.executor.maxNumFailures": "1000",  # an exam that kills executors is found, and must not end the application
    "spark.authenticate": "true",  # who does not know the application's secret, which YARN keeps, gets no connection
    "spark.network.crypto.enabled": "true",
    "spark.io.encryption.enabled": "true",  # descriptions that are spilled to a node's disk hold names
    "spark.ui.showConsoleProgress": "false",
    "spark.ui.enabled": "false",  # it would listen on every node's address, and show without a password
    "spark.python.unix.domain.socket.enabled": "false",  # it would lie in a container's folder, whose path is too long
    "spark.yarn.maxAppAttempts": "1",  # a repeated step is the caller's, with a token of its own
}
_JARS = Path(pyspark.__file__).parent / "jars"
_JARS_NAME = f"spark-{pyspark.__version__}.tar.gz"
"""Spark's own jars, once a version: else each application uploads 400 MB of them."""
_JARS_GIVEN = {"spark.yarn.jars", "spark.yarn.archive"}


def client(settings: Settings) -> dict[str, str]:
    """Properties for a driver in this process; its workers' interpreter too, which pyspark takes from the environment."""
    address, one_machine = os.environ.get("SPARK_LOCAL_IP", ""), "spark.driver.host" in settings.spark.properties
    if address.startswith("127.") and not one_machine:
        raise SettingsError(
            "Spark would listen on loopback, where executors on other nodes do not reach it",
            found=f"SPARK_LOCAL_IP={address}",
            next_command="unset SPARK_LOCAL_IP; or, if all of the cluster is this machine, set spark.driver.host too",
        )
    os.environ["PYSPARK_PYTHON"] = shipment.PYTHON
    return {"spark.master": "yarn", "spark.submit.deployMode": "client"} | _properties(settings)


def cluster(settings: Settings, folder: Path) -> Path:
    """Write what `spark-submit --properties-file` takes to run a job's driver in a container; the file's name.

    The settings go along as a file that executors could read too: the catalog's password must not be in them.
    """
    url = make_url(settings.catalog.url)
    if url.password is not None or "password" in url.query:
        raise SettingsError(
            "in cluster mode settings travel to every container: the catalog's URL must have no password",
            next_command="put it into libpq's password file on the nodes, or submit in client mode",
        )
    told, file = folder / "settings.json", folder / "spark-cluster.conf"
    data = settings.public() | {"catalog": {"url": settings.catalog.url}}
    told.touch(mode=0o600)
    told.write_text(json.dumps(data))
    found = {
        "spark.master": "yarn",
        "spark.submit.deployMode": "cluster",
        "spark.pyspark.python": shipment.PYTHON,
        "spark.pyspark.driver.python": shipment.PYTHON,
        "spark.yarn.appMasterEnv.SDFO_CONF": told.name,
        "spark.yarn.dist.files": str(told),
    }
    lines = (f"{name} {value}\n" for name, value in sorted((found | _properties(settings)).items()))
    file.write_text("".join(lines))
    return file


def _properties(settings: Settings) -> dict[str, str]:
    """For both modes: the shipment, the containers' environment, and last what the settings say."""
    shipped = shipment.ship(settings.hdfs)
    found = {_ARCHIVES: ",".join(shipped.archives)}
    if _JARS_GIVEN.isdisjoint(settings.spark.properties):
        shipment.put_once(open_store(shipped.folder, settings.hdfs), _JARS_NAME, lambda tar: tar.add(_JARS, "."))
        found["spark.yarn.archive"] = f"{shipped.folder}/{_JARS_NAME}"
    told = shipment.environ("./__spark_conf__/__hadoop_conf__") | {"PYSPARK_PYTHON": shipment.PYTHON}
    environ = {kind + name: value for kind in _CONTAINERS for name, value in told.items()}
    return _SET | found | environ | settings.spark.properties
