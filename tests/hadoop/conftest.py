"""A real Hadoop for the tests that want one: started once a session, gone with it, also when pytest is killed."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from sdfo.conf import Hdfs
from sdfo.stores.hdfs import HdfsStore
from sdfo.testing.hadoop.cluster import Cluster, cluster


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
def store(hadoop: Cluster) -> HdfsStore:
    """Fresh and empty; it does not write anew what failed."""
    url = f"{hadoop.url}/test/{secrets.token_hex(6)}"
    return HdfsStore(url, Hdfs(root=url, deadline_seconds=20, write_retry_seconds=0))
