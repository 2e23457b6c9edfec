"""
# Reading copies again

**What.** Reads each night a share of all copies on HDFS and near-line again, every byte, those first that were not read for the
longest, so that each is read within `expire.scrub_days` (90). What is damaged is made again from another copy, at once on HDFS, by
the next backup on near-line.

**When.** Each day at 01:00 (Europe/Berlin). A night that was left out is made up for by the next.

**Needs.** The HDFS store, near-line mounted, the catalog, and the pool `care` (conf/).

| task | does | if it fails |
|---|---|---|
| read | reads, marks, mends | a copy is lost, with no other to make it from: its log names the study, `sdfo locate UID`; too many copies are not whole: a store is half mounted, nothing was marked; near-line is not mounted. Mend it, clear it |

**Exit codes.** 75 leaves it skipped: another scrub is at work, or a store does not answer; the next night reads more. What it found is
in its log, in `sdfo status` and on the next night's page.
"""

from airflow.sdk import CronTriggerTimetable, dag, task

from common import default_args, sdfo


@dag(
    schedule=CronTriggerTimetable("0 1 * * *", timezone="Europe/Berlin"),
    catchup=False,
    max_active_runs=1,
    default_args=default_args() | {"pool": "care"},
    doc_md=__doc__,
    tags=["archive"],
)
def scrub() -> None:
    @task.bash(skip_on_exit_code=75)
    def read() -> str:
        return sdfo("--json scrub --run '{{ run_id }}'")

    read()


scrub()
