"""Quarantine, gc, rebuild, doctor and config."""

from __future__ import annotations

import os
import time

from sdfo.testing.exams import study_uid


def _night_with_damage(site) -> None:
    files = site.exam(1)
    files[2].write_bytes(files[2].read_bytes()[:-10])
    site.json("init")
    site.json("night", "--run", "r", code=3)


def test_quarantine_is_listed_with_names_and_decided(site):
    """Accepting closes the entry, twice is once; a decision is not turned round; an unknown id is not found."""
    _night_with_damage(site)
    (entry,) = site.json("quarantine")["entries"]
    assert entry["kind"] == "damaged"
    assert entry["study"] == study_uid(1)
    assert entry["name"].endswith("-S001-I00003.dcm")
    assert entry["name"] in site.run("quarantine").stdout
    number = str(entry["id"])
    assert site.json("quarantine", "accept", number) == {"accepted": [entry["id"]]}
    assert site.json("quarantine", "accept", number) == {"accepted": [entry["id"]]}
    assert site.json("quarantine") == {"entries": []}
    assert site.json("quarantine", "--all")["entries"][0]["state"] == "accepted"
    assert site.json("quarantine", "release", number, code=1)["error"] == "Conflict"
    assert site.json("quarantine", "accept", "99", code=1)["error"] == "NotFound"


def test_a_released_file_is_read_again(site):
    """Mended on the SAN and released, it is archived whole the next night, and nothing is left to look at."""
    _night_with_damage(site)
    (entry,) = site.json("quarantine")["entries"]
    site.exam(1)  # the scanner sends it again
    site.json("quarantine", "release", str(entry["id"]))
    second = site.json("night", "--run", "second")
    assert second["todo"] == []
    assert second["ledger"]["damaged"] == 0


def test_gc_counts_then_removes(site):
    """An attempt that a killed run left: kept while it is young, counted by --dry-run, removed after."""
    site.json("init")
    left = site.hdfs / "attempts" / "killed" / "x.sdicom"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"12345")
    assert site.json("gc") == {"dry_run": False, "removed": 0, "bytes": 0, "kept": 1}
    two_days_ago = time.time() - 2 * 86400
    os.utime(left, (two_days_ago, two_days_ago))
    assert site.json("gc", "--dry-run")["removed"] == 1
    assert left.exists()
    assert site.json("gc")["bytes"] == 5
    assert not left.exists()


def test_a_lost_catalog_is_built_again(site, tmp_path):
    """From the files alone: then `find`, `quarantine` and `status` answer as before; one that holds anything is not overwritten."""
    _night_with_damage(site)
    before = [site.json("find"), site.json("quarantine"), site.json("status")["run"]]
    assert "--replace" in site.json("catalog", "rebuild", code=1)["next"]
    for file in site.folder.glob("catalog.db*"):
        file.unlink()
    assert site.json("find", code=1)["next"] == "sdfo catalog upgrade"
    assert site.json("catalog", "rebuild")["parts"] == 1
    assert site.json("catalog", "rebuild", "--replace")["parts"] == 1
    site.json("scan", "--run", "after")
    assert [site.json("find"), site.json("quarantine"), site.json("status")["run"]] == before


def test_rebuild_tells_of_a_part_that_is_gone(site):
    """Exit 1, and the path of the S-DICOM file that the journal knows and the store has not."""
    _night_with_damage(site)
    part = site.part(1)
    (site.hdfs / part).unlink()
    assert site.json("catalog", "rebuild", "--replace", code=1)["missing"] == [part]


def test_doctor_before_and_after_init(site):
    """Exit 1 and the command for each thing that is missing; 0 when all that is required is there."""
    ill = site.json("doctor", code=1)
    missing = {
        finding["what"]: finding["next"] for finding in ill["findings"] if not finding["ok"] and finding["required"]
    }
    assert missing == {"SAN": "sdfo init", "HDFS store": "sdfo init", "catalog": "sdfo catalog upgrade"}
    site.json("init")
    assert site.json("doctor")["ok"]
    assert "ok " in site.run("doctor").stdout
    no_java = site.json("doctor", code=1, JAVA_HOME="/nowhere", SDFO__ENGINE="spark")
    assert [finding["what"] for finding in no_java["findings"] if not finding["ok"]] == ["Java"]
    assert site.json("doctor", JAVA_HOME="/nowhere")["ok"]
    assert not [path for path in (site.hdfs / "attempts").rglob("*") if path.is_file()]


def test_doctor_finds_half_a_pyspark(site, tmp_path):
    """pyspark-client beside pyspark has overwritten half of it: nothing else would say so before the night."""
    info = tmp_path / "pyspark_client-4.3.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: pyspark-client\nVersion: 4.3.0\n")
    site.json("init")
    done = site.sdfo("doctor", PYTHONPATH=str(tmp_path), SDFO__ENGINE="spark")
    assert done.returncode == 1
    assert "overwritten by pyspark-client 4.3.0" in done.stdout


def test_config_says_where_each_value_is_from(site):
    """Every field has a meaning; file, environment and default are told apart; a password is not shown."""
    said = site.json(
        "config", SDFO__CATALOG__URL="postgresql://archive:hunter2@127.0.0.1/sdfo", SDFO__CONVERT__WORKERS="3"
    )
    rows = {row["setting"]: row for row in said["settings"]}
    assert rows["san.root"]["from"] == "file"
    assert rows["convert.workers"] | {"value": "3", "from": "environment"} == rows["convert.workers"]
    assert rows["limits.free"]["from"] == "default"
    assert all(row["meaning"] for row in rows.values())
    assert "hunter2" not in str(said)
    assert "san.exam_depth" in site.run("config").stdout


def test_config_shows_the_policy_of_each_modality(site):
    """Each that a setting names, and all others: codec, lossy objects, days on each tier, copies wanted."""
    toml = site.folder / "conf" / "site.toml"
    toml.write_text(
        toml.read_text()
        + '[expire.modalities.MG]\nsan_days = 365\ncopies = ["hdfs", "tape"]\n[lossy]\nmodalities = ["CT"]\n'
    )
    rows = {row["modality"]: row for row in site.json("config")["policies"]}
    assert set(rows) == {"MG", "CT", "any other"}
    assert (rows["MG"]["on the SAN"], rows["MG"]["copies before any goes"]) == ("365 days", "hdfs, tape")
    assert (rows["CT"]["lossy objects"], rows["any other"]["lossy objects"]) == ("at most 8:1", "none")
    assert (rows["any other"]["on the SAN"], rows["any other"]["on HDFS"]) == ("90 days", "for ever")
    assert rows["any other"]["near-line codec"] == "original"
    assert "copies before any goes" in site.run("config").stdout
