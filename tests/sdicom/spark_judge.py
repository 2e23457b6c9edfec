"""Run by test_hadoop in a process of its own: Hadoop's Java classes read and write SequenceFiles, through Spark.

    spark_judge.py FOLDER FILE SPLITS…

writes 40 records as two files in FOLDER; reads FILE once for each number of SPLITS, and prints as its last line, in JSON,
for each of these readings, for each split, [key, length, SHA-256 of the value] of each record in it.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from typing import Any


def session() -> Any:
    os.environ |= {"SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
    from pyspark.sql import SparkSession

    settings = {
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.driver.memory": "512m",
    }
    builder = SparkSession.builder.master("local[1]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def read(context: Any, file: str, splits: int) -> list[list[list[Any]]]:
    """`sc.sequenceFile` as a stock program calls it; no class of ours is named."""

    def row(pair: tuple[str, bytearray]) -> list[Any]:
        return [pair[0], len(pair[1]), hashlib.sha256(pair[1]).hexdigest()]

    found: list[list[list[Any]]] = context.sequenceFile(f"file:{file}", minSplits=splits).map(row).glom().collect()
    return found


def write(context: Any, folder: str) -> None:
    pairs = [(f"späte/{n}", bytearray(bytes([n]) * n * 2_000)) for n in range(40)]
    context.parallelize(pairs, 2).saveAsNewAPIHadoopFile(
        f"file:{folder}",
        "org.apache.hadoop.mapreduce.lib.output.SequenceFileOutputFormat",
        keyClass="org.apache.hadoop.io.Text",
        valueClass="org.apache.hadoop.io.BytesWritable",
    )


def main(folder: str, file: str, *splits: str) -> None:
    spark = session()
    write(spark.sparkContext, folder)
    print(json.dumps([read(spark.sparkContext, file, int(wanted)) for wanted in splits]))
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
