"""A cluster with Kerberos: a ticket on the host, a token in YARN's containers, and a clear word where there is neither."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyspark
import pytest

from sdfo.conf import Hdfs
from sdfo.errors import StoreError
from sdfo.stores import Store
from sdfo.stores.hdfs import HdfsStore, reads
from sdfo.testing.archive import Archive, new_archive
from sdfo.testing.contracts.store_reads import ReadContract
from sdfo.testing.contracts.store_writes import WriteContract
from sdfo.testing.exams import make_exam
from sdfo.testing.hadoop.cluster import kept
from sdfo.testing.hadoop.jars import ROOT
from sdfo.testing.hadoop.secure import FOLDER, USER, SecureCluster

pytestmark = [pytest.mark.hadoop, pytest.mark.long]

FILES = 30
SPARK = Path(str(pyspark.__file__)).parent


@pytest.fixture(scope="module")
def hadoop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureCluster]:
    """Instead of the other tests' cluster."""
    with kept(lambda: SecureCluster(tmp_path_factory.mktemp("secure")), yarn=True) as found:
        yield found


@pytest.fixture(autouse=True)
def ticket(hadoop: SecureCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `kinit` leaves it for the archive's user."""
    monkeypatch.setenv("KRB5_CONFIG", str(hadoop.kdc.conf))
    monkeypatch.setenv("KRB5CCNAME", str(hadoop.kdc.ticket(USER)))
    monkeypatch.delenv("KRB5_CLIENT_KTNAME", raising=False)


@pytest.fixture
def store(hadoop: SecureCluster) -> HdfsStore:
    url = f"{hadoop.url}{FOLDER}/{secrets.token_hex(6)}"
    return HdfsStore(url, Hdfs(root=url, deadline_seconds=20, write_retry_seconds=0))


class TestWithTicket(WriteContract, ReadContract):
    """The contract's basics, and the free space, of which the NameNode's page tells by SPNEGO."""

    @pytest.fixture
    def store(self, store: HdfsStore, hadoop: SecureCluster) -> HdfsStore:
        self.hadoop = hadoop
        return store

    def raw_bytes(self, store: Store, path: str) -> bytes:
        assert isinstance(store, HdfsStore)
        try:
            return self.hadoop.fetch(f"{self.hadoop.web}/webhdfs/v1{store.at(path)}?op=OPEN")
        except OSError as error:
            raise FileNotFoundError(path) from error


def test_who_we_are(store: HdfsStore) -> None:
    """Whom the ticket names; HADOOP_USER_NAME counts for nothing. Elsewhere that one is refused."""
    store.put("file", b"data")
    assert store.client.get_file_info(store.at("file")).owner == USER
    with pytest.raises(StoreError) as refused:
        HdfsStore(store.url.replace(FOLDER, "/elsewhere")).put("file", b"")
    assert refused.value.what == "permission denied"


def test_a_node_that_hangs(store: HdfsStore, hadoop: SecureCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no way around by WebHDFS; the client's own way to the other replica comes in time too."""
    monkeypatch.setattr(reads, "_wary_until", 0.0)
    data = os.urandom(1_000_000)
    store.put("file", data)
    for node in hadoop.datanodes:
        node.hang()
        try:
            assert store.read_all("file") == data
        finally:
            node.resume()
    hadoop.mend()


def test_a_token_counts_for_its_address_alone(store: HdfsStore, hadoop: SecureCluster, tmp_path: Path) -> None:
    """As Hadoop wrote it into the token: host:port by number, unless hadoop.security.token.service.use_ip says otherwise."""
    store.put("file", b"data")
    token = str(tmp_path / "token")
    assert hadoop.home.run("org.apache.hadoop.hdfs.tools.DelegationTokenFetcher", token).returncode == 0
    environ = {**os.environ, "HADOOP_TOKEN_FILE_LOCATION": token, "KRB5CCNAME": str(tmp_path / "none")}
    said = {}
    for url in (store.url, store.url.replace("127.0.0.1", "localhost")):
        code = f"from sdfo.stores import open_store; print(open_store({url!r}).read_all('file'))"
        said[url] = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True)
    by_number, by_name = said.values()
    assert (by_number.returncode, by_number.stdout.strip()) == (0, "b'data'")
    assert "no token in HADOOP_TOKEN_FILE_LOCATION is for this address of the NameNode" in by_name.stderr


# ---- nights


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Exams on a SAN, and what local disk holds of them."""
    made = new_archive(tmp_path_factory.mktemp("local"))
    for seed in range(3):
        make_exam(made.san / f"exam{seed}", slices=FILES // 3, modality="CT", seed=seed, size=128)
    assert made.night().good
    return made.san, made.parts()


@pytest.fixture
def archive(local, store: HdfsStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Archive:
    monkeypatch.setenv("SDFO__HDFS__ROOT", store.url)
    monkeypatch.setenv("SDFO__SAN__ROOT", str(local[0]))
    return new_archive(tmp_path)


def test_a_night_without_a_ticket(archive: Archive, local, tmp_path: Path, hadoop: SecureCluster) -> None:
    """Says so at once, and what to type. With a keytab in KRB5_CLIENT_KTNAME it needs no kinit, and archives everything."""
    cache, keytab = str(tmp_path / "cache"), str(hadoop.kdc.keytab(USER))
    night = archive.sdfo("night", "--run", "r1", KRB5CCNAME=cache)
    assert night.returncode == 1
    assert "No Kerberos credentials available" in night.stderr
    assert "next: kinit" in night.stderr
    night = archive.sdfo("night", "--run", "r1", KRB5CCNAME=cache, KRB5_CLIENT_KTNAME=keytab)
    assert night.returncode == 0, night.stderr
    assert archive.parts() == local[1]


def test_a_ticket_that_expires(archive: Archive, hadoop: SecureCluster) -> None:
    """Is told as such; with the keytab a new one is got in its stead."""
    hadoop.kdc.ticket(USER, "-l", "2s")
    time.sleep(3)
    doctor = archive.sdfo("doctor")
    assert doctor.returncode == 1
    assert "expired" in doctor.stderr + doctor.stdout
    assert archive.sdfo("doctor", KRB5_CLIENT_KTNAME=str(hadoop.kdc.keytab(USER))).returncode == 0


def test_a_token_in_the_containers(archive: Archive, local, hadoop: SecureCluster) -> None:
    """Spark on YARN converts, and its executors write to HDFS with what YARN gave them: no ticket is to be found there."""
    assert archive.sdfo("scan", "--run", "r1").returncode == 0
    done = _submitted(archive, hadoop, "convert", "r1")
    assert done.returncode == 0, done.stderr[-3000:]
    for step in ("verify", "publish", "report"):
        assert archive.sdfo(step, "--run", "r1").returncode == 0
    assert archive.parts() == local[1]


def _submitted(archive: Archive, hadoop: SecureCluster, step: str, run: str) -> subprocess.CompletedProcess[str]:
    """A job on YARN, in client mode, with what is shipped and this machine's own jars."""
    java = f"-Djava.security.krb5.conf={hadoop.kdc.conf}"
    settings = {
        "spark.yarn.jars": f"local:{SPARK}/jars/*",
        "spark.yarn.stagingDir": f"{hadoop.url}{FOLDER}/staging",
        "spark.driver.extraJavaOptions": java,
        "spark.yarn.am.extraJavaOptions": java,
        "spark.executor.extraJavaOptions": java,
        "spark.yarn.appMasterEnv.SPARK_LOCAL_IP": "127.0.0.1",
        "spark.executorEnv.SPARK_LOCAL_IP": "127.0.0.1",
        "spark.executorEnv.KRB5CCNAME": "/nowhere/cache",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.executor.instances": "1",
        "spark.executor.memory": "512m",
        "spark.yarn.am.memory": "512m",
    }
    environ = {
        **os.environ,
        "SDFO__SPARK__PROPERTIES": json.dumps(settings),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_SUBMIT_OPTS": java,
    }
    command = [str(ROOT / "scripts" / "spark-submit"), "--master", "yarn", str(ROOT / "jobs" / f"{step}_exams.py")]
    return subprocess.run(
        [*command, "--run", run, "--conf", str(archive.toml)], env=environ, capture_output=True, text=True
    )
