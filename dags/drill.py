"""
# The restore drill

**What.** Restores parts drawn by lot from near-line, and from one tape volume drawn by lot, into a scratch folder, and compares every
file with the digest that it had when it was received. Nothing but the catalog is changed. The delete gate asks for a drill that
ended well within `expire.drill_days` (15).

**When.** Each Sunday at 03:00 (Europe/Berlin). It waits for the tape system to bring its volume.

**Needs.** Near-line mounted, the tape staging area and a tape system where there are tapes, the catalog, room for one exam in
`TMPDIR`, and the pool `care` (conf/).

| task | does | if it fails |
|---|---|---|
| restore | restores and compares | a part did not come back: its log names it, it is mended as by a scrub; `sdfo drill --run ID` again. The volume did not come: `sdfo recalls`, the tape system's own log. Nothing is removed from any tier until a drill is green |

**Exit codes.** 75 leaves it skipped: another drill is at work, or a store does not answer.
"""

from airflow.sdk import CronTriggerTimetable, dag, task

from common import default_args, sdfo


@dag(
    schedule=CronTriggerTimetable("0 3 * * 0", timezone="Europe/Berlin"),
    catchup=False,
    max_active_runs=1,
    default_args=default_args() | {"pool": "care"},
    doc_md=__doc__,
    tags=["archive"],
)
def drill() -> None:
    @task.bash(skip_on_exit_code=75)
    def restore() -> str:
        return sdfo("--json drill --run '{{ run_id }}' --wait")

    restore()


drill()
