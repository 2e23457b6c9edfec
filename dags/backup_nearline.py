"""
# The near-line backup

**What.** Copies to near-line what the night has archived and what waits still, oldest first: each exam with the near-line
codec, each image restored and compared on the way, each file read again there. Nothing on HDFS or the SAN is changed.

**When.** Each hour from 22:00 to 05:00 (Europe/Berlin), and whenever a night has published; one run at a time. The settings
`nearline.start` and `nearline.end` say which of these come to anything: the last exam ends before the hours do, and what is
left is first in line the next night. By hand at any hour: `sdfo backup --run ID --any-time`.

**Needs.** The near-line store mounted with its file `.sdfo-nearline` (`sdfo init`), on a cluster at the same path on every
node; what the night needs but the SAN; the pool `backup` and the connection `spark_sdfo` (conf/).

| task | does | if it fails |
|---|---|---|
| due | looks whether something waits, whether it is the time, and whether near-line is there | near-line is not mounted, or another store is at its root: mount it, clear `due` with downstream |
| backup | Spark copies what waits, batch by batch; it ends well where nothing does | near-line is full (`df`, `sdfo gc`), or as the night's convert: mend it; clear it, or leave it to the next run |

**One exam never holds the others.** It is tried again after all of them, then set aside: `sdfo quarantine`, kind backup.

**Exit codes.** 75 leaves `due`, and with it `backup`, skipped: it is not the time, another backup is at work, or a store does
not answer. That is no failure here, unlike a night's: what waits has its copy on HDFS, and the next run is due in an hour. When
the oldest has waited for `limits.backup_age_hours`, `sdfo status` ends with 1 and the night's report says so. A store that goes
away under `backup` itself makes it red after two more tries.
"""

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk import Asset, AssetOrTimeSchedule, CronTriggerTimetable, dag, task

from common import default_args, job, run, sdfo

PUBLISHED = Asset("sdfo://published")


@dag(
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("0 22-23,0-5 * * *", timezone="Europe/Berlin"), assets=[PUBLISHED]
    ),
    catchup=False,
    max_active_runs=1,
    default_args=default_args() | {"pool": "backup"},
    doc_md=__doc__,
    tags=["archive"],
)
def backup_nearline() -> None:
    @task.bash(retries=0, skip_on_exit_code=75)
    def due() -> str:
        return sdfo("--json backup --run '{{ run_id }}' --dry-run")

    backup = SparkSubmitOperator(task_id="backup", application=job("backup_exams.py"), application_args=run())

    due() >> backup


backup_nearline()
