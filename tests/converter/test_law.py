"""describe and merge are a function of the names and bytes of an exam folder's files."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from pathlib import Path
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from sdfo.converter import merge
from sdfo.model import Fate
from sdfo.testing.exams import Series
from sdfo.testing.odd import surgery
from sdfo.testing.shipped import shipped

_ONE, _OTHER, _SIEMENS = Series("CT", 1, 16), Series("MR", 2, 16), Series("MR", 3, 16, head_bytes="siemens")
_ONES = list(_ONE.images(3))
BYTES = (
    *_ONES,
    *_OTHER.images(2),
    *_SIEMENS.images(2),  # heads above what a description carries
    surgery.without(_ONES[0], surgery.STUDY),
    surgery.with_value(_ONES[1], surgery.STUDY, surgery.uid("../../etc/x")),
    _ONES[2][:-7],
    shipped("MR_small_RLE.dcm").read_bytes(),
    shipped("test-SR.dcm").read_bytes(),
    b"",
    b"a note\n",
)
NAMES = (b"a", b"A", b"a/b", b"a.b", b"a/b.d/c", b"b", b"%41", b"%2541", b"caf\xe9", "café".encode(), b"\n", b"z" * 255)


def _folders() -> st.SearchStrategy[dict[bytes, bytes]]:
    names = st.sets(st.sampled_from(NAMES), min_size=1, max_size=8)
    return names.filter(lambda n: not {b"a", b"a/b"} <= n and not {b"a", b"a/b.d/c"} <= n).flatmap(
        lambda chosen: st.fixed_dictionaries({name: st.sampled_from(BYTES) for name in sorted(chosen)})
    )


@settings(max_examples=15)
@given(_folders(), st.randoms(use_true_random=False), st.sampled_from([2_000, 100_000, 1 << 26]))
def test_any_order_any_mtime_any_time_gives_the_same_files(works_in, content, files, random: Random, limit) -> None:
    """Twice: made in another order, with other times, described in another order, by more threads; and once more over it."""
    shown = []
    with tempfile.TemporaryDirectory() as top:
        for number in range(2):
            works = works_in(Path(top, str(number)), limit, threads=1 + 2 * number)
            names = random.sample(sorted(files), len(files))
            works.fill({name: files[name] for name in names})
            for name in names:
                os.utime(works.path(name), ns=(0, random.randrange(1 << 60)))
            task = works.task()
            for _ in range(1 + number):
                described = works.describe(task)
                random.shuffle(described)
                shown.append(content(works, merge(task, described, works.desk)))
    assert all(each == shown[0] for each in shown)


@settings(max_examples=15)
@given(_folders(), st.sampled_from([2_000, 1 << 26]))
def test_every_file_has_one_fate_and_one_record_with_its_bytes(works_in, files, limit) -> None:
    """Files in = outcomes out; records and files apart together hold each file's bytes under its name, once."""
    with tempfile.TemporaryDirectory() as top:
        works = works_in(Path(top), limit)
        outcome = works.convert(files)
        assert [f.stamp.name for f in outcome.files] == sorted(files)
        assert [f.ordinal for f in outcome.files] == list(range(len(files)))
        found = list[tuple[bytes, bytes]]()
        for part in outcome.parts:
            found += works.values(part).items()
            with works.part(part) as opened:
                beside = part.attempt.rpartition("/")[0]
                assert opened.check(deep=True).absent == ()
                found += [(os.fsencode(a.name), works.store.read_all(f"{beside}/{a.path}")) for a in opened.aparts]
        if outcome.parts:
            plain = {name: data for name, data in found if len(data) <= limit}
            assert plain == {name: data for name, data in files.items() if len(data) <= limit}
            assert Counter(data for _, data in found) == Counter(files.values())
            assert {f.fate for f in outcome.files} == {Fate.ARCHIVED}
        else:
            assert {f.fate for f in outcome.files} == {Fate.NO_EXAM}
            assert set(files.values()) <= {b"", b"a note\n"}
            assert works.written() == {}
