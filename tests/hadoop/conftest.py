"""A real Hadoop for the tests that want one: started once a session, gone with it, also when pytest is killed."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import pyspark
import pytest

from sdfo.conf import Hdfs
from sdfo.stores.hdfs import HdfsStore, reads
from sdfo.testing.hadoop.cluster import Cluster, cluster

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def hadoop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """NameNode and three DataNodes. A test that harms them ends with `mend`."""
    with cluster(tmp_path_factory.mktemp("hadoop")) as found:
        yield found


@pytest.fixture(scope="session")
def yarn(hadoop: Cluster) -> Cluster:
    """ResourceManager and NodeManager besides."""
    hadoop.start_yarn()
    return hadoop


@pytest.fixture(autouse=True)
def conf_dir(hadoop: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a user with a cluster has it."""
    monkeypatch.setenv("HADOOP_CONF_DIR", str(hadoop.conf))
    monkeypatch.delenv("HADOOP_USER_NAME", raising=False)


@pytest.fixture
def on_yarn(yarn: Cluster, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """Settings, as variables, for an archive of its own on HDFS, whose engines run on YARN in small containers."""
    properties = {
        "spark.executor.instances": "2",
        "spark.executor.memory": "512m",
        "spark.executor.memoryOverhead": "768m",
        "spark.yarn.am.memory": "384m",
        "spark.driver.memory": "512m",
        "spark.yarn.jars": f"local:{Path(pyspark.__file__).parent}/jars/*",  # all nodes are this machine
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.executorEnv.SPARK_LOCAL_IP": "127.0.0.1",
        "spark.yarn.appMasterEnv.SPARK_LOCAL_IP": "127.0.0.1",
    }
    variables = {
        "HDFS__ROOT": f"{yarn.url}/yarn/{secrets.token_hex(6)}",
        "HDFS__SOFTWARE": f"{yarn.url}/software",  # packed once, for all tests
        "SPARK__MASTER": "yarn",
        "SPARK__PROPERTIES": json.dumps(properties),
        "MRJOB__RUNNER": "hadoop",
        "MRJOB__CONF": str(ROOT / "conf" / "mrjob.conf"),
    }
    for name, value in variables.items():
        monkeypatch.setenv(f"SDFO__{name}", value)
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    monkeypatch.setenv("HADOOP_HOME", str(yarn.home.folder))  # where mrjob looks for the command and the streaming jar
    return yarn


@pytest.fixture
def harmed(hadoop: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """The cluster, mended afterwards. No test knows from an earlier one that nodes hang."""
    monkeypatch.setattr(reads, "_wary_until", 0.0)
    yield hadoop
    hadoop.mend()


@pytest.fixture
def store(hadoop: Cluster) -> HdfsStore:
    """Fresh and empty; it does not write anew what failed."""
    url = f"{hadoop.url}/test/{secrets.token_hex(6)}"
    return HdfsStore(url, Hdfs(root=url, deadline_seconds=20, write_retry_seconds=0))
