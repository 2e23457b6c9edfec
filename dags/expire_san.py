"""
# Images leave the SAN

**What.** Shows what may go from the SAN tonight, how much that frees, and which line of the gate stops the rest; **then it waits for a
person**, on the page of required actions. Approved, files that are older than `expire.san_days` (90) and proven safe elsewhere are
moved to `.sdfo-expired` on the SAN, and those that were moved `expire.grace_days` (7) ago are removed for good. Rejected, or not
answered within 20 hours, all stays. Every line of the gate must be true for a file, or it stays, whoever approved
(docs/operations.md, "Images leave the SAN"). Where `expire.unattended` is true in the settings, nobody is asked: read the tables for some
weeks first.

**When.** Each day at 05:00 (Europe/Berlin), after the night's backup of the catalog.

**Needs.** The SAN mounted with its file `.sdfo-san`, and writable; HDFS, near-line mounted, the catalog, and the pool `care` (conf/).

| task | does | if it fails |
|---|---|---|
| look | says what would go; where nobody is asked, does it | the SAN or near-line is not mounted, or another one is: nothing was removed; mount it, clear it |
| is_asked | skips the rest where nothing may go, or nobody is asked | it only reads what `look` found: see there |
| approve | waits for a person | clear it: it asks again |
| expire | moves aside, removes what has had its days | as for `look` |

**To stop it at once:** reject, set `expire.unattended` to false, or place a hold (`sdfo hold`); a task may be killed at any moment. **To fetch a
file back** within its days of grace, copy it from `.sdfo-expired/<run>/` on the SAN.

**Exit codes.** 75 leaves it skipped: another run is at work, or a store does not answer. A gate that stops everything is no failure.
"""

import json
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import CronTriggerTimetable, dag, task

from common import default_args, sdfo


def _asked(line: str) -> dict[str, Any]:
    """What a person is shown of the answer, and whether one is asked at all. The exams stay in the log."""
    found = json.loads(line)
    says = (
        f"{found['files']} files, {found['bytes'] / 1e9:.1f} GB, would be moved aside now. {found['grace']} files lie in their "
        f"days of grace; those that have had them are removed for good. The log of `look` names the exams and says what stops the rest."
    )
    return {"ask": found["dry_run"] and found["files"] + found["grace"] > 0, "says": says}


@dag(
    schedule=CronTriggerTimetable("0 5 * * *", timezone="Europe/Berlin"),
    catchup=False,
    max_active_runs=1,
    default_args=default_args() | {"pool": "care"},
    doc_md=__doc__,
    tags=["archive"],
)
def expire_san() -> None:
    @task.bash(skip_on_exit_code=75, output_processor=_asked, multiple_outputs=True)
    def look() -> str:
        return sdfo("--json expire --run '{{ run_id }}' --scheduled")

    @task.short_circuit
    def is_asked(ask: bool) -> bool:
        return ask

    @task.bash(skip_on_exit_code=75, do_xcom_push=False)
    def expire() -> str:
        return sdfo("--json expire --run '{{ run_id }}'")

    found = look()
    approve = ApprovalOperator(
        task_id="approve",
        subject="Free the SAN?",
        body=found["says"],
        defaults="Reject",
        response_timeout=timedelta(hours=20),
        execution_timeout=None,
    )
    is_asked(found["ask"]) >> approve >> expire()


expire_san()
