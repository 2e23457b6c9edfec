"""python -m sdfo.testing.hadoop WORD: gather (make hadoop) | up | down (make hadoop-up, hadoop-down) | url | lock | run …

`up` keeps what it stores in var/hadoop, through any number of `down`s; its daemons outlive the command that started them.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from sdfo.testing.hadoop import jars
from sdfo.testing.hadoop.cluster import Cluster, NotReady

FOLDER = jars.ROOT / "var" / "hadoop"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m sdfo.testing.hadoop", description=__doc__)
    words = parser.add_subparsers(dest="word", required=True)
    words.add_parser("gather", help="get the jars that the lock names, and compare each")
    words.add_parser("lock", help="write the lock anew, after a change of conf/hadoop/pom.xml")
    words.add_parser("up", help="start it, wait until it is ready, say where it is")
    words.add_parser("down", help="stop it; what it stores stays")
    words.add_parser("url", help="where its HDFS is")
    run = words.add_parser("run", help="a command of Hadoop on it: run fs -ls /")
    run.add_argument("arguments", nargs=argparse.REMAINDER)
    given = parser.parse_args(argv)
    try:
        return _run(given.arguments) if given.word == "run" else _WORDS[given.word]()
    except (FileNotFoundError, NotReady, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1


def _gather() -> int:
    began = time.monotonic()
    folder = jars.gather()
    print(f"{len(jars.locked())} jars in {folder.relative_to(jars.ROOT)}, as locked ({time.monotonic() - began:.1f} s)")
    return 0


def _lock() -> int:
    print(f"{jars.lock()} jars locked")
    return 0


def _up() -> int:
    hadoop = Cluster.running(FOLDER)
    if hadoop is None or not hadoop.well():
        if hadoop is not None:
            hadoop.stop()
        hadoop, began = Cluster(FOLDER, bound=False), time.monotonic()
        try:
            hadoop.start(yarn=True)
        except BaseException:
            hadoop.stop()
            raise
        print(f"ready in {time.monotonic() - began:.1f} s")
    for what, where in (
        ("export HADOOP_CONF_DIR=", hadoop.conf),
        ("hdfs.root: ", f"{hadoop.url}/sdfo"),
        ("NameNode's pages: ", hadoop.web),
        ("ResourceManager's pages: ", hadoop.resource_web),
        ("logs: ", hadoop.home.folder / "logs"),
    ):
        print(f"{what}{where}")
    return 0


def _down() -> int:
    hadoop = Cluster.running(FOLDER)
    if hadoop is None:
        print("it is not up")
        return 0
    hadoop.stop()
    print(f"stopped; what it stores stays in {FOLDER.relative_to(jars.ROOT)}")
    return 0


def _url() -> int:
    hadoop = Cluster.running(FOLDER)
    print("it is not up: make hadoop-up" if hadoop is None else hadoop.url, file=sys.stdout if hadoop else sys.stderr)
    return 0 if hadoop else 1


def _run(arguments: Sequence[str]) -> int:
    hadoop = Cluster.running(FOLDER)
    if hadoop is None or not arguments:
        print("it is not up: make hadoop-up" if hadoop is None else "which command?", file=sys.stderr)
        return 1
    done = hadoop.home.run(*arguments)
    print(done.stdout, end="")
    print(done.stderr, end="", file=sys.stderr)
    return done.returncode


_WORDS = {"gather": _gather, "lock": _lock, "up": _up, "down": _down, "url": _url}

if __name__ == "__main__":
    sys.exit(main())
