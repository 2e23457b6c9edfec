"""The cluster of a bench run, and a place whose store lies on it."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import time
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.place import Place
from sdfo.catalog import Catalog
from sdfo.model import Tier
from sdfo.nightly.night import night
from sdfo.nightly.place import Place as Workplace
from sdfo.nightly.place import init
from sdfo.stores.hdfs import HdfsStore
from sdfo.testing.hadoop.cluster import Cluster, cluster


class Hadoop:
    """Started when it is first asked for; one for all groups of rows."""

    def __init__(self, parent: Path) -> None:
        self._parent, self._stack = parent, ExitStack()

    @cached_property
    def cluster(self) -> Cluster:
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-hadoop-", dir=self._parent))
        found = self._stack.enter_context(cluster(Path(folder) / "cluster"))
        os.environ["HADOOP_CONF_DIR"] = str(found.conf)
        os.environ.pop("HADOOP_USER_NAME", None)
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()


class HadoopPlace(Place):
    """The SAN is on local disk, the store on HDFS."""

    store: HdfsStore  # type: ignore[assignment]

    def __init__(self, top: Path, hadoop: Cluster, more: str = "") -> None:
        self.hadoop = hadoop
        top.mkdir(exist_ok=True)
        (top / "san").mkdir(exist_ok=True)
        url = f"{hadoop.url}/bench/{secrets.token_hex(6)}"
        super().__init__(top, f'hdfs.root = "{url}"\n{_EACH_NIGHT}{more}')
        self.store = HdfsStore(self.loaded.hdfs.root, self.loaded.hdfs)

    def tidy(self) -> None:
        super().tidy()
        for folder in ("attempts", "bare"):
            self.store.client.delete(self.store.at(folder), True)

    def night(self) -> None:
        """Everything on the SAN becomes part of the archive."""
        init(self.loaded)
        self._runs += 1
        report = night(Workplace(self.loaded, f"night-{self._runs}"), "local")
        if not report.good:
            raise SystemExit("a night of the bench did not end well")

    def retire(self) -> None:
        """The exams leave the SAN, and a night sees it: from now on they are read from HDFS."""
        for folder in (self.top / "san").iterdir():
            if folder.is_dir():
                shutil.rmtree(folder)
        self.night()

    @cached_property
    def catalog(self) -> Catalog:
        return Catalog(self.loaded.catalog.url, self.store)

    def part(self, study: str) -> str:
        """Where the S-DICOM file of an archived exam lies."""
        (part,) = self.catalog.parts(study)
        (path,) = (copy.path for copy in self.catalog.copies(part.id) if copy.tier == Tier.HDFS)
        return path

    def objects(self) -> int:
        """What the NameNode keeps in memory: files, folders and blocks, once what was deleted is away."""
        found, before = self._counted(), -1
        while found != before:
            time.sleep(0.5)
            found, before = self._counted(), found
        return found

    def _counted(self) -> int:
        state = self.hadoop.jmx("Hadoop:service=NameNode,name=FSNamesystemState")
        return int(state["FilesTotal"]) + int(state["BlocksTotal"])


_EACH_NIGHT = """
hdfs.write_retry_seconds = 0
san.settle_minutes = 0
convert.workers = 0
limits.shrink = 0
"""
"""A night takes what lies there, at once and in this process, also an empty SAN."""
