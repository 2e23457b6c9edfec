"""
# The first load

**What.** Archives the exams that lay on the SAN when the archive came (older than `backfill.days`, never archived), newest first:
one slice in each run of this DAG. Nothing on the SAN is changed or removed.

**When.** Paused until somebody switches it on. Then every five minutes from 20:00 to 06:00 (Europe/Berlin), one run at a time;
the settings `backfill.start` and `backfill.end` say which of these come to anything. The night comes first: a slice begins after
tonight's night has ended well, and only if it ends before the next one. Pause it when `sdfo backfill --dry-run` has nothing left.

**Needs.** What the night needs, `backfill.days` in the settings, and one night since that was set: its scan says what waits.

| task | does | if it fails |
|---|---|---|
| load | one slice: scan, convert, verify, publish, report of its own run `backfill-<day>-<n>` | its log says which slice, why, and the command; pause the DAG, mend it, switch it on: the next run tries again |

**Exit codes.** 75 leaves the task skipped: it is not the time, or another run is at work. That is no failure here, unlike a
night's: whatever waits is still on the SAN, and the next run is due in five minutes. So there are no retries either.
"""

from airflow.sdk import CronTriggerTimetable, dag, task

from common import default_args, sdfo


@dag(
    schedule=CronTriggerTimetable("*/5 20-23,0-5 * * *", timezone="Europe/Berlin"),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    default_args=default_args(),
    doc_md=__doc__,
    tags=["archive"],
)
def backfill() -> None:
    @task.bash(retries=0, skip_on_exit_code=75)
    def load() -> str:
        return sdfo("backfill --slices 1")

    load()


backfill()
