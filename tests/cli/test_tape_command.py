"""The tape's commands, as an operator and a reader type them: from a night to a volume, and back."""

from __future__ import annotations

import shutil
from pathlib import Path

from sdfo.testing.exams import study_uid


def test_from_a_night_to_tape_and_back(archived, tmp_path: Path) -> None:
    """stage, simulate, ls, show; get starts a recall and says its id, ends with 75; with --wait it returns the bytes."""
    shutil.copytree(archived.folder, tmp_path / "site")
    site = type(archived)(tmp_path / "site")
    assert site.json("stage", "--run", "t1")["volumes"] == 0
    assert site.json("stage", "--run", "t2", "--now")["parts"] == 3
    assert site.json("tape", "simulate", "--once")["written"] == 1
    assert site.json("stage", "--run", "t3")["receipts"] == 1
    (volume,) = site.json("tape", "ls")["volumes"]
    assert (volume["state"], volume["here"]) == ("verified", None)
    shown = site.json("tape", "show", volume["name"])
    assert sorted(part["study"] for part in shown["parts"]) == sorted(study_uid(seed) for seed in (1, 2, 3))
    assert "Zwirbelhuber" not in site.run("tape", "show", volume["name"]).stdout

    files = sorted(path.read_bytes() for path in (site.san).rglob("*_1/*"))
    shutil.rmtree(site.hdfs / "exams")
    site.san.rename(site.folder / "san-away")
    said = site.json("get", study_uid(1), "--to", tmp_path / "out", code=75)
    assert "recall 1" in said["what"]
    assert "--wait" in said["next"]
    assert [row["state"] for row in site.json("recalls")["recalls"]] == ["waiting"]
    assert site.json("recall", study_uid(2))["id"] == 1
    assert site.json("tape", "simulate", "--once")["served"] == 1
    assert site.json("get", study_uid(1), "--to", tmp_path / "out", "--wait")["files"] == 4
    assert sorted(path.read_bytes() for path in (tmp_path / "out").rglob("*.dcm")) == files
    assert [row["state"] for row in site.json("recalls")["recalls"]] == ["done"]
    assert site.json("restore", "--lost")["restored"] == 3
    assert site.json("tape", "lost", volume["name"])["parts"] == 3
    assert site.json("stage", "--run", "t4", "--now")["parts"] == 3


def test_words_that_name_nothing(archived) -> None:
    """Each with what to do."""
    assert archived.json("tape", "show", "20200101-00000000", code=1)["next"] == "sdfo tape ls"
    assert archived.json("recall", study_uid(1), code=1)["error"] == "NotFound"
    assert archived.run("tape").returncode == 2
