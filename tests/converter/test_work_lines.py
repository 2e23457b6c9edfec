"""What goes between mrjob's mapper and reducer: lines of text, for any names and any bytes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sdfo import conf
from sdfo.converter import Problem, describe, merge
from sdfo.model import Description, ExamTask, Extent, Fate, FileStamp, Kind
from sdfo.nightly.job import Job
from sdfo.nightly.mrjob import _DESCRIBED, _OUTCOME, Work
from sdfo.testing.exams import Series
from sdfo.tiers.san import San

_name = st.binary(min_size=1, max_size=255).filter(
    lambda n: b"\0" not in n and b"/" not in n and n not in (b".", b"..")
)
_texts = st.none() | st.text(st.characters(max_codepoint=255), max_size=130)  # what examine reads: Latin-1
_numbers = st.integers(-(2**63), 2**63 - 1)
_stamps = st.builds(FileStamp, st.binary(max_size=300), _numbers, _numbers, _numbers)
_frames = st.none() | st.lists(st.lists(st.builds(Extent, _numbers, _numbers), max_size=2).map(tuple)).map(tuple)
_described = st.builds(
    Description, _stamps, st.text("0123456789abcdef", min_size=64, max_size=64), st.sampled_from(Kind), _texts, _texts,
    _texts, _texts, _texts, _texts, _texts, st.none() | _numbers, st.none() | _numbers,
    st.none() | st.binary(max_size=200), _texts, _frames,
)  # fmt: skip
_problems = st.builds(Problem, _stamps, st.sampled_from(Fate), st.text(st.characters(exclude_categories=("Cs",))))


@given(_described | _problems)
@example(Problem(FileStamp(b"\t\n\xff\0", 0, 0, 0), Fate.CHANGED, "tab\tline\nend\u2028"))
def test_any_description_is_one_line_and_comes_back(found: Description | Problem) -> None:
    line = _DESCRIBED.dump_json([found]).decode()
    assert not set("\t\n\r") & set(line)
    assert _DESCRIBED.validate_json(line) == [found]


@pytest.fixture
def job(tmp_path: Path) -> Job:
    (tmp_path / "sdfo.toml").write_text(
        'san.root = "san"\nhdfs.root = "hdfs"\ncatalog.url = "sqlite:///c.db"\nnearline.root = "n"\ntape.root = "t"\n'
    )
    settings = conf.load(tmp_path / "sdfo.toml")
    return Job(conf.from_public(json.dumps(settings.public())), "run", San(settings.san.root).adopt())


def _tasks(job: Job) -> tuple[ExamTask, ...]:
    """Two exam folders whose names, and whose files' names, are no text."""
    root, tasks = Path(job.settings.san.root), list[ExamTask]()
    for number, folder in enumerate(("M\udcfcller\n", "tab\t"), 1):
        (root / folder).mkdir()
        for n, image in enumerate(Series("MR", number, 16, head_bytes="siemens").images(2)):
            (root / folder / f"\udcff{n}\n\t%41").write_bytes(image)
        (root / folder / "empty").write_bytes(b"")
        name = folder.encode(errors="surrogateescape")
        known = (("1.2.3", "0" * 64),)
        tasks.append(ExamTask(number, name, job.mounted().list(name).files, known, "1.2.3" if number == 1 else None))
    return tuple(tasks)


def test_what_mapper_and_reducer_are_told_survives_its_file(job: Job, tmp_path: Path) -> None:
    work = Work(job, _tasks(job))
    (tmp_path / "work.json").write_bytes(work.dump())
    assert Work.load(str(tmp_path / "work.json")) == work


def test_map_and_reduce_over_lines_make_the_same_parts(job: Job, content, works_in, tmp_path: Path) -> None:
    """As describe and merge do without them; the last file's line is taken first."""
    work = Work(job, _tasks(job))
    lines = list(work.lines())
    assert [line.split() for line in lines] == [[e, n] for e in "01" for n in "012"]
    mapped = [work.describe(line) for line in reversed(lines)]
    works = works_in(tmp_path)
    for number, task in enumerate(work.tasks):
        texts = [text for exam, text in mapped if exam == str(number)]
        assert all(not set("\t\n") & set(text) for text in texts)
        reduced = work.merge(str(number), texts)
        assert not set("\t\n") & set(reduced)
        exam, outcome = _OUTCOME.validate_json(reduced)
        desk = replace(job.desk(), attempts="attempts/direct")
        direct = merge(task, [describe(desk.san, task.folder, stamp) for stamp in task.files], desk)
        assert exam == number
        assert content(works, outcome) == content(works, direct)


@settings(max_examples=30)
@given(name=_name, data=st.binary(max_size=100))
def test_any_name_and_any_bytes_pass_the_mapper(tmp_path_factory, works_in, name: bytes, data: bytes) -> None:
    """A mapper's line is what describe says in this process."""
    works = works_in(tmp_path_factory.mktemp("line"))
    works.fill({name: data})
    (found,) = works.describe(works.task())
    assert _DESCRIBED.validate_json(_DESCRIBED.dump_json([found])) == [found]
    assert found.stamp.name == name
