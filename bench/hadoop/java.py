"""MapFile and HAR, through Hadoop's own classes: a JVM runs Layouts.java, and is told what to do line by line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyspark

from bench.hadoop.layout import Image, Layout, OnStore
from bench.hadoop.place import HadoopPlace
from bench.place import Exam
from bench.workers import Worker
from sdfo.conf import MIB

_SOURCE = Path(__file__).with_name("Layouts.java")
_COMPILER = ("janino", "commons-compiler")


@contextmanager
def jvm(place: HadoopPlace) -> Iterator[Worker]:
    """With HotSpot's second compiler, which the cluster's daemons do without: it knows the SHA instructions."""
    block = place.loaded.hdfs.block_mib * MIB
    command = place.hadoop.home.java("org.codehaus.janino.SimpleCompiler", str(_SOURCE), "Layouts", str(block))
    at = command.index("-cp")
    jars = [str(jar) for name in _COMPILER for jar in Path(pyspark.__path__[0], "jars").glob(f"{name}-*.jar")]
    command[at : at + 2] = ["-XX:TieredStopAtLevel=4", "-Xmx1g", "-cp", ":".join((command[at + 1], *jars))]
    with Worker(command, place.top / "java.log") as worker:
        yield worker


class _InJvm(OnStore):
    def __init__(self, place: HadoopPlace, exam: Exam, worker: Worker) -> None:
        super().__init__(place, exam)
        self._worker = worker

    def _told(self, *words: str) -> list[Image]:
        self._worker.tell(words)
        lines = (line.split("\t") for line in self._worker.answer())
        return [(float(ms) / 1e3, name, digest) for ms, name, digest in lines]


class MapFile(_InJvm):
    """The images in the order of their names, and an index of every 128th (org.apache.hadoop.io.MapFile)."""

    name = "MapFile"

    def write(self, path: str) -> None:
        self._told("map-write", str(self._exam.paths[0].parent), self.at(path))

    def whole(self, path: str) -> list[Image]:
        return self._told("map-whole", self.at(path))

    def images(self, path: str, names: Sequence[str]) -> list[Image]:
        return self._told("map-images", self.at(path), *names)


class Har(_InJvm):
    """Made by a MapReduce job out of files that lie on HDFS already: that they do is not counted."""

    name = "HAR"

    def __init__(self, place: HadoopPlace, exam: Exam, worker: Worker, files: Layout) -> None:
        super().__init__(place, exam, worker)
        files.write("loose/exam")

    def write(self, path: str) -> None:
        folder, _, name = self.at(path).rpartition("/")
        self._told("har-write", "-archiveName", name, "-p", self._store.at("loose"), "-r", "2", "exam", folder)

    def at(self, path: str) -> str:
        return super().at(f"{path}.har")

    def whole(self, path: str) -> list[Image]:
        return self._told("har-whole", self._inside(path))

    def images(self, path: str, names: Sequence[str]) -> list[Image]:
        return self._told("har-images", self._inside(path), *names)

    def _inside(self, path: str) -> str:
        return f"har://{self._place.hadoop.url.replace('://', '-')}{self.at(path)}/exam"
