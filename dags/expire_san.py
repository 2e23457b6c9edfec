"""
# Freeing the SAN

**What.** Shows what may go from the SAN tonight, how much that frees, and which line of the gate stops the rest. **It removes nothing
until `expire.unattended` is true** in the settings: read its tables for some weeks first, and start `sdfo expire --run ID` by hand. Then
files that are older than `expire.san_days` (90) and proven safe elsewhere are moved to `.sdfo-expired` on the SAN, and removed for
good after `expire.grace_days` (7). Every line of the gate must be true for a file, or it stays (docs/operations.md, "Freeing the SAN").

**When.** Each day at 05:00 (Europe/Berlin), after the night's backup of the catalog.

**Needs.** The SAN mounted with its file `.sdfo-san`, and writable; HDFS, near-line mounted, the catalog, and the pool `care` (conf/).

| task | does | if it fails |
|---|---|---|
| expire | moves aside, removes what has had its days | the SAN or near-line is not mounted, or another one is: nothing was removed; mount it, clear it |

**To stop it at once:** set `expire.unattended` to false, or place a hold (`sdfo hold`); a task may be killed at any moment. **To fetch a
file back** within its days of grace, copy it from `.sdfo-expired/<run>/` on the SAN.

**Exit codes.** 75 leaves it skipped: another run is at work, or a store does not answer. A gate that stops everything is no failure.
"""

from airflow.sdk import CronTriggerTimetable, dag, task

from common import default_args, sdfo


@dag(
    schedule=CronTriggerTimetable("0 5 * * *", timezone="Europe/Berlin"),
    catchup=False,
    max_active_runs=1,
    default_args=default_args() | {"pool": "care"},
    doc_md=__doc__,
    tags=["archive"],
)
def expire_san() -> None:
    @task.bash(skip_on_exit_code=75)
    def expire() -> str:
        return sdfo("--json expire --run '{{ run_id }}' --scheduled")

    expire()


expire_san()
