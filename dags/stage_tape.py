"""
# Staging for tape

**What.** Makes volumes (tar files) of the exams that wait for tape, reads each again and puts it into the staging area's
`ready/`; takes the tape system's receipts; proves volumes that came back, and ends the recalls that waited for them. Nothing on
HDFS, near-line or the SAN is changed.

**When.** Every quarter of an hour, and whenever a night has published; one run at a time. A volume is sealed at
`tape.volume_gib`, or when its oldest exam has waited `tape.volume_max_age_hours`; until then a run takes a moment and ends well.
By hand, without waiting for more: `sdfo stage --run ID --now`.

**Needs.** The staging area mounted at `tape.root` with its file `.sdfo-tape` (`sdfo init`), the HDFS store and the catalog, the
pool `stage` (conf/); and a tape system that serves the folders (docs/operations.md, "Tape").

| task | does | if it fails |
|---|---|---|
| stage | receipts, recalls, room, new volumes, in this order | not mounted, or another one: mount it; the disk is full: `df`, `sdfo tape ls`. Then clear it, or leave it to the next run |

**One exam never holds the others.** It is tried again in the next volume, then set aside: `sdfo quarantine`, kind stage.

**Exit codes.** 75 leaves `stage` skipped: another one is at work, a store does not answer, or the staging area is full and the tape
system has to take volumes first. What waits has its copy on HDFS. `sdfo status` ends with 1 when a volume has waited for its
receipt, or a recall for its volume, for `limits.receipt_age_hours`.
"""

from airflow.sdk import Asset, AssetOrTimeSchedule, CronTriggerTimetable, dag, task

from common import default_args, sdfo

PUBLISHED = Asset("sdfo://published")


@dag(
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("*/15 * * * *", timezone="Europe/Berlin"), assets=[PUBLISHED]
    ),
    catchup=False,
    max_active_runs=1,
    default_args=default_args() | {"pool": "stage"},
    doc_md=__doc__,
    tags=["archive"],
)
def stage_tape() -> None:
    @task.bash(skip_on_exit_code=75)
    def stage() -> str:
        return sdfo("--json stage --run '{{ run_id }}'")

    stage()


stage_tape()
