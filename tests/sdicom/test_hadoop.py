"""The outside judge: Hadoop's own Java reader and writer of SequenceFiles, run by Spark."""

from __future__ import annotations

import itertools
import json
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from sdfo.sdicom import Part
from sdfo.seqfile import Reader
from sdfo.stores.local import LocalStore

Make = Callable[..., Any]
SPLITS = (1, 7, 40)


@dataclass(frozen=True)
class Judged:
    """What lies in `store`: our file `exam.path`, and Hadoop's in java/; and what Hadoop read of ours, per SPLITS."""

    store: LocalStore
    exam: Any
    read: list[list[list[list[Any]]]]


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory, make_exam: Make, make_member: Make) -> Judged:
    root, exam = tmp_path_factory.mktemp("judged"), large_exam(make_exam, make_member)
    store = LocalStore(root)
    exam.write(store)
    script = [sys.executable, str(Path(__file__).with_name("spark_judge.py"))]
    words = [str(root / "java"), str(root / exam.path), *map(str, SPLITS)]
    done = subprocess.run([*script, *words], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return Judged(store, exam, json.loads(done.stdout.splitlines()[-1]))


def java_splits(size: int, wanted: int) -> list[tuple[int, int]]:
    """org.apache.hadoop.mapred.FileInputFormat.getSplits of one file: equal splits, the last up to a tenth longer."""
    goal = min(size // wanted, 32 * 1024 * 1024)  # fs.local.block.size
    borders = list(itertools.takewhile(lambda at: at == 0 or (size - at + goal) / goal > 1.1, range(0, size, goal)))
    return list(itertools.pairwise([*borders, size]))


def large_exam(make_exam: Make, make_member: Make) -> Any:
    """8 MB of metadata, 20 MB of values of all lengths, odd names."""
    chance = random.Random(3)
    names = [b"CT/%04d" % n for n in range(400)] + ["späte Bilder/é".encode(), b"caf\xe9", b"%41", b"x" * 255]
    members = [
        make_member(name, chance.randbytes(chance.choice((16_000, 50_000, 90_000))), head=16_000) for name in names
    ]
    return make_exam([*members, make_member(b"empty", b""), make_member(b"note", b"a note")])


@pytest.mark.night
def test_hadoop_reads_what_we_write(judged: Judged) -> None:
    """`sc.sequenceFile`: exactly one record per file, key and value equal, in however many splits; ours are the same."""
    expected = sorted([m.record.name, len(m.value), sha256(m.value).hexdigest()] for m in judged.exam.members)
    with Part.open(judged.store, judged.exam.path) as part:
        assert part.first_record > 8_000_000
        reader = Reader.open(part.source)
        for wanted, found in zip(SPLITS, judged.read, strict=True):
            assert sorted(row for split in found for row in split) == expected
            ours = [[e.key.decode() for e in reader.entries(*split)] for split in java_splits(part.size, wanted)]
            assert [[row[0] for row in split] for split in found] == ours
    assert len([split for split in judged.read[-1] if split]) > 10


@pytest.mark.night
def test_we_read_what_hadoop_writes(judged: Judged) -> None:
    """Files of SequenceFileOutputFormat, with Hadoop's own sync markers and their distance, whole and by split."""
    pairs = list[tuple[bytes, bytes]]()
    for number in range(2):
        with judged.store.open(f"java/part-r-{number:05d}") as source:
            reader = Reader.open(source)
            pairs += reader.items()
            assert any(entry.escaped for entry in reader.entries())
            borders = [*range(0, source.size, 9_999), source.size]
            cut = [list(reader.items(a, b)) for a, b in itertools.pairwise(borders)]
            assert [pair for split in cut for pair in split] == list(reader.items())
    assert pairs == [(f"späte/{n}".encode(), bytes([n]) * n * 2_000) for n in range(40)]
