"""Run the tests group by group and print the time of each: `make test` (arguments go to pytest).

The exit code is 0 when every group passed, pytest's of the first that did not, and 5 when no group had a test.
"""

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

GROUPS = {
    "unit": "not night and not airflow and not hadoop and not long",
    "night": "night and not airflow and not hadoop and not long",
    "airflow": "airflow and not hadoop and not long",
    "hadoop": "hadoop and not long",
}
SIDE_BY_SIDE = {"unit", "night"}  # two tests at a time, for two cores: `-n 0` among the arguments undoes it
NO_TESTS = 5  # pytest's exit code when nothing was collected
REPORTS = Path("build/tests")


@dataclass(frozen=True)
class Group:
    """How one run of pytest ended; an error of set-up counts as a failure, as it does in the exit code."""

    name: str
    code: int
    seconds: float
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def row(self) -> str:
        return f"{self.name:<10}{self.passed:>8}{self.failed:>8}{self.skipped:>9}{self.seconds:>9.1f} s"


def run(name: str, marks: str, arguments: Sequence[str]) -> Group:
    print(f"\n── {name}: -m '{marks}'", flush=True)
    report = REPORTS / f"{name}.xml"
    report.unlink(missing_ok=True)
    started = time.monotonic()
    pairs = ["-n", "2", "--dist", "worksteal"] if name in SIDE_BY_SIDE else []
    command = [sys.executable, "-m", "pytest", "-m", marks, f"--junitxml={report}", *pairs, *arguments]
    code = subprocess.run(command, check=False).returncode
    seconds = time.monotonic() - started
    if not report.exists():  # pytest refused its arguments
        return Group(name, code, seconds)
    failed, skipped, tests = counts(report)
    return Group(name, code, seconds, tests - failed - skipped, failed, skipped)


def counts(report: Path) -> tuple[int, int, int]:
    """Failed, skipped and all tests of a JUnit report."""
    suites = list(ElementTree.parse(report).iter("testsuite"))

    def total(*names: str) -> int:
        return sum(int(suite.get(name, "0")) for suite in suites for name in names)

    return total("failures", "errors"), total("skipped"), total("tests")


def verdict(groups: Sequence[Group]) -> int:
    """The exit code for all: a group without tests is no failure unless all are."""
    ran = [group.code for group in groups if group.code != NO_TESTS]
    return next((code for code in ran if code), 0) if ran else NO_TESTS


def main(arguments: Sequence[str]) -> int:
    REPORTS.mkdir(parents=True, exist_ok=True)
    groups = [run(name, marks, arguments) for name, marks in GROUPS.items()]
    print(f"\n{'group':<10}{'passed':>8}{'failed':>8}{'skipped':>9}{'time':>11}")
    for group in groups:
        print(group.row())
    skipped = sum(group.skipped for group in groups)
    after = f", {skipped} skipped" if skipped else ""
    print(f"{sum(group.passed for group in groups)} passed, {sum(group.failed for group in groups)} failed{after}")
    return verdict(groups)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
