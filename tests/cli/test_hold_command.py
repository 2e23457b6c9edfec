"""`sdfo hold`: what is kept, by whom and why; a mistake is told, for a hold on nothing protects nothing."""

from __future__ import annotations

import pytest

from sdfo.testing.exams import study_uid


@pytest.fixture
def filled(site):
    """Two exams are archived."""
    for seed in (1, 2):
        site.exam(seed, slices=1)
    site.json("init")
    site.json("night", "--run", "r")
    return site


def test_exams_are_held_listed_and_released(filled, tmp_path):
    """By UID, by patient, by a list with remarks; the list says who and why; a released one only `--list-all` shows."""
    listed = tmp_path / "trial.txt"
    listed.write_text(f"# exams of the trial\n{study_uid(1)}\n\n{study_uid(2)}  # the second\n")
    said = filled.json("hold", "--list", listed, "--reason", "trial 7", SUDO_USER="ann")["hold"]
    assert (said["id"], said["exams"], said["subjects"]) == (1, 2, sorted([study_uid(1), study_uid(2)]))
    patient = filled.json("find", "--study", study_uid(1))["studies"][0]["patient_id"]
    assert filled.json("hold", "--patient", patient)["hold"]["exams"] == 1
    assert filled.json("hold", "1.2.3")["hold"]["exams"] == 0
    assert "not all of what it names" in filled.run("hold", "1.2.4").stdout
    assert "trial 7" in filled.run("hold").stdout
    assert filled.json("hold", "--release", "1") == {"released": 1}
    assert [row["id"] for row in filled.json("hold")["holds"]] == [2, 3, 4]
    assert next(row["who"] for row in filled.json("hold", "--list-all")["holds"]) == "ann"
    assert filled.json("hold", "--release", "9", code=1)["error"] == "NotFound"


@pytest.mark.parametrize(
    "words", [("1.2.x",), ("1.2", "--patient", "7"), ("--list", "no/such/file"), ("--patient", " ")]
)
def test_a_hold_that_is_off_is_refused(filled, words):
    """Exit 2: a UID that is none, two subjects at once, a list that is not there, nobody."""
    assert filled.json("hold", *words, code=2)["error"] == "UsageError"
    assert filled.json("hold")["holds"] == []


def test_one_bad_line_refuses_the_list(filled, tmp_path):
    """Nothing of it is held: half a list would look like all of it."""
    listed = tmp_path / "list"
    listed.write_text(f"{study_uid(1)}\nnot a uid\n")
    assert "entry 2" in filled.json("hold", "--list", listed, code=2)["what"]
    assert filled.json("hold")["holds"] == []
