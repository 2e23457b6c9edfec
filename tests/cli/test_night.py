"""Nights and their steps on the command line: what is done, what is said, and the exit codes."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import time
from contextlib import suppress

from sdfo.model import Fate


def test_before_init_everything_says_what_to_do(site):
    """No command on an empty site ends with a traceback; each names the next one."""
    for words in (["night"], ["scan", "--run", "r"], ["find"], ["status"], ["locate", "1.2"], ["gc"], ["quarantine"]):
        done = site.run(*words)
        assert done.returncode == 1, words
        assert "Traceback" not in done.stderr
        assert "sdfo " in done.stderr.partition("next: ")[2] + done.stdout


def test_init_may_be_repeated(site):
    """The SAN keeps its id."""
    assert site.json("init") == site.json("init")


def test_a_night_step_by_step(site):
    """Steps with one run id do what `night` does; the run's default engine and a given one; exit 0 although a file is damaged."""
    damaged = site.exam(1)[0]
    damaged.write_bytes(damaged.read_bytes()[:-10])
    site.json("init")
    run = ["--run", "manual__2026-11-24T20:00:00+00:00"]
    assert site.json("scan", *run) | {"files": 4, "exams": 1, "run": "manual__2026-11-24T20-00-00-00-00"} == site.json(
        "scan", *run
    )
    assert site.json("convert", *run, "--engine", "local")["parts"] == 1
    assert site.json("verify", *run)["whole"] == 1
    assert site.json("publish", *run)["new"] == 1
    report = site.json("report", *run)
    assert report["good"]
    assert report["ledger"]["lines"][Fate.ARCHIVED] == 4
    assert report["ledger"]["damaged"] == 1
    assert (site.hdfs / "runs" / report["run"] / "report.html").is_file()
    assert report["page"].endswith(f"hdfs/runs/{report['run']}/report.html")


def test_a_step_of_a_run_that_never_began(site):
    """A mistyped id is no new run: the error names `scan`."""
    site.json("init")
    for step in ("convert", "verify", "publish", "report"):
        said = site.json(step, "--run", "typo", code=1)
        assert said["error"] == "NotFound"
        assert said["next"].startswith("sdfo scan --run typo")


def test_report_ends_with_1_when_a_step_is_missing(site):
    """The page is written all the same, and says which step comes next."""
    site.exam(1)
    site.json("init")
    site.json("scan", "--run", "r")
    done = site.run("report", "--run", "r")
    assert done.returncode == 1
    assert "not a good night" in done.stdout
    assert "sdfo convert --run r" in done.stdout
    assert "IN NO LINE" in done.stdout
    assert not (site.hdfs / "last_good_night").exists()


def test_a_whole_night(archived):
    """Exit 3 with a damaged file (checked by the fixture); the ledger adds up in the text, and the to-do has its command."""
    site = archived
    done = site.run("report", "--run", "first")
    assert done.returncode == 0
    counts = dict(re.findall(r"^[ =+] +(.+?) +(\d+)$", done.stdout, re.MULTILINE))
    assert int(counts.pop("seen on the SAN")) == sum(map(int, counts.values())) == 12
    assert "sdfo quarantine" in done.stdout.partition("What a person must do next")[2]


def test_a_night_without_faults_names_itself(site):
    """Exit 0; the run's id is the local date and time; a second night archives nothing more, and says so."""
    site.exam(1)
    site.json("init")
    first = site.json("night")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d", first["run"])
    assert first["todo"] == []
    assert site.json("night", "--run", "second")["ledger"]["lines"][Fate.ALREADY] == 4


def test_a_night_backs_the_catalog_up(site):
    """As the DAG does, once for each night that published; where it cannot, the night stands, exit 1, and `status` tells its age."""
    site.exam(1)
    site.json("init")
    assert site.json("night", "--run", "first")["catalog_not_backed_up"] is None
    assert len(list((site.hdfs / "state" / "catalog").iterdir())) == 1
    nearline = site.folder / "nearline"
    nearline.rename(site.folder / "elsewhere")
    said = site.json("night", "--run", "second", code=1)
    assert said["good"]
    assert "is it mounted?" in said["catalog_not_backed_up"]
    (site.folder / "elsewhere").rename(nearline)
    old = site.json("status", code=1, SDFO__LIMITS__NIGHT_AGE_HOURS="0.0000001")["lines"]
    assert [line["ok"] for line in old if line["what"] == "catalog backup"] == [False]


def test_an_unmounted_san_ends_with_1(site):
    """The night's report says that scan failed; nothing is taken for deleted."""
    site.exam(1)
    site.json("init")
    site.san.rename(site.folder / "elsewhere")
    site.san.mkdir()
    said = site.json("night", "--run", "r", code=1)
    assert not said["good"]
    assert said["todo"][0]["command"] == "sdfo scan --run r"


def test_a_held_lease_is_75_and_a_kill_leaves_it(site):
    """SIGTERM ends with 143 and says so; until its lease expires another run is postponed; the same run goes on."""
    for seed in range(4):
        site.exam(seed, slices=100, size=64)
    site.json("init")
    night = subprocess.Popen(
        site.command("--json", "night", "--run", "killed"),
        env=site.env(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not list((site.hdfs / "attempts").glob("killed/*")):
        assert night.poll() is None, night.stderr.read() if night.stderr else ""
        time.sleep(0.01)
    night.send_signal(signal.SIGTERM)
    said, _ = night.communicate(timeout=60)
    assert night.returncode == 143
    assert json.loads(said)["error"] == "Terminated"
    other = site.json("night", "--run", "other", code=75)
    assert other["error"] == "LeaseHeld"
    assert "sdfo status" in other["next"]
    assert "run killed" in site.run("status").stdout
    assert site.json("night", "--run", "killed")["ledger"]["lines"][Fate.ARCHIVED] == 400


def test_progress_is_lines_on_standard_error(site):
    """Not on a terminal: a line at the end of each phase, and nothing of it on standard output."""
    for seed in range(3):
        site.exam(seed, slices=1)
    site.json("init")
    done = site.run("--json", "night", "--run", "r")
    assert done.stderr.splitlines()[:2] == ["night 3/3 folders listed", "night 3/3 exams"]
    assert len(done.stdout.splitlines()) == 1


def test_progress_is_a_bar_on_a_terminal(site):
    """Where standard error is a terminal: phases by name, done of total; standard output stays one document."""
    site.exam(1, slices=1)
    site.json("init")
    ours, theirs = pty.openpty()
    command = site.command("--json", "scan", "--run", "r")
    with subprocess.Popen(command, env=site.env(TERM="xterm"), stdout=subprocess.PIPE, stderr=theirs) as scan:
        os.close(theirs)
        drawn = b""
        with suppress(OSError):  # EIO: the other end was closed
            while piece := os.read(ours, 65536):
                drawn += piece
        said = scan.stdout.read() if scan.stdout else b""
    os.close(ours)
    assert scan.returncode == 0
    assert json.loads(said)["files"] == 1
    assert b"scan: folders listed" in drawn
    assert b"1/1" in drawn


def test_a_monitor_sees_an_old_night_and_a_full_store(archived):
    """`status` ends with 0, and with 1 when the last good night is older, or the store fuller, than the limits allow."""
    well = archived.json("status")
    assert well["run"] == "first"
    assert (archived.hdfs / "last_good_night").read_text().split()[1] == "first"
    limits = {"SDFO__LIMITS__FREE": "0"}
    assert archived.json("status", **limits)["ok"]
    assert not archived.json("status", code=1, SDFO__LIMITS__NIGHT_AGE_HOURS="0.0000001", **limits)["ok"]
    full = archived.json("status", code=1, SDFO__LIMITS__FREE="1")
    assert [line["what"] for line in full["lines"] if not line["ok"]] == [
        "room in the HDFS store",
        "room in the near-line store",
    ]
