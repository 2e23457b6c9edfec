"""
# The night

**What.** Takes the exam folders that came to the SAN and have settled, writes each exam as one S-DICOM file on HDFS, and
enters it in the catalog. Nothing on the SAN is changed or removed.

**When.** Every evening at 20:00 (Europe/Berlin), one run at a time. Of evenings missed while it was paused only the last is
made up for, at once: a run takes everything that is new. By hand at any hour: `airflow dags trigger nightly_archive`.

**Needs.** The SAN mounted with its file `.sdfo-san` (`sdfo init`), the settings of `SDFO_CONF`, Java 17, the pool
`archive` (conf/pools.json) and the connection `spark_sdfo` (conf/connections.json; on a cluster conf/cluster/connections.json,
and `HADOOP_CONF_DIR` in Airflow's environment).

| task | does | if it fails |
|---|---|---|
| scan | lists the SAN, decides which exams are complete | the SAN is not mounted, or looks half empty: mount it, clear `scan` with downstream |
| convert | Spark writes the S-DICOM files under `attempts/` | read the last lines of its log (Java, disk space, HDFS; on YARN `yarn logs -applicationId` of the application it names), mend, clear with downstream |
| verify | Spark re-reads each of them, in another process | as for convert; a file that is not right is never published |
| publish | renames the verified files and enters them in the catalog | the catalog or HDFS did not answer: mend, clear with downstream |
| catalog_backup | copies the catalog itself to HDFS and near-line, read back and compared | near-line is away or full: mend, clear it alone; nothing waits for it but the removal of old images |
| report | one page and one JSON of the night; runs whatever happened before | red when a step failed or a file is unaccounted for: the page says what to do next |
| good_night | nothing; it is green when publish, catalog_backup and report are | see the red one |

**A task may be killed** (mark it failed): the driver is its child, and YARN ends its containers. The lease is free for the
same run at once, for another after five minutes.

**Any task may be cleared at any time**: each step may be repeated and ends with the same bytes. By hand the same words do
it: `sdfo scan --run RUN_ID`, and so on. Of a run that a later one has overtaken, clear `scan` with downstream.

**Exit codes.** 1 failed. 2 settings or words are wrong. 75 postponed: another run is at work, or HDFS is in safe mode or does
not answer; `sdfo status` and the report say which. Every step but `report` is then tried twice more, ten minutes apart. After
that the task is red, for 75 too, since the night's images are not archived yet. They are still on the SAN: clear the task, with
downstream, when the other run has ended or HDFS is back. A damaged image is no failure: it is archived as it is, and named in
the report.
"""

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import Asset, CronTriggerTimetable, dag, task

from common import default_args, job, run, sdfo

PUBLISHED = Asset("sdfo://published")


@dag(
    schedule=CronTriggerTimetable("0 20 * * *", timezone="Europe/Berlin"),
    catchup=False,
    max_active_runs=1,
    default_args=default_args(),
    doc_md=__doc__,
    tags=["archive"],
)
def nightly_archive() -> None:
    @task.bash
    def scan() -> str:
        return sdfo("--json scan --run '{{ run_id }}'")

    @task.bash(outlets=[PUBLISHED])
    def publish() -> str:
        return sdfo("--json publish --run '{{ run_id }}'")

    @task.bash
    def catalog_backup() -> str:
        return sdfo("--json catalog backup --run '{{ run_id }}'")

    @task.bash(trigger_rule="all_done", retries=0)
    def report() -> str:
        return sdfo("report --run '{{ run_id }}'")  # not --json: that has names, which Airflow's log must not

    convert = SparkSubmitOperator(task_id="convert", application=job("convert_exams.py"), application_args=run())
    verify = SparkSubmitOperator(task_id="verify", application=job("verify_exams.py"), application_args=run())
    good_night = EmptyOperator(task_id="good_night")

    scan() >> convert >> verify >> (published := publish()) >> report() >> good_night
    published >> catalog_backup() >> good_night
    published >> good_night  # red if any step was, whatever the report says


nightly_archive()
