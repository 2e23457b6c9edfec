"""Back up to near-line what waits for it, with Spark: spark-submit jobs/backup_exams.py --run ID [--conf FILE]."""

import sys

from sdfo.nightly.backup import backup
from sdfo.spark.job import run_step

if __name__ == "__main__":
    sys.exit(run_step("backup", backup, sys.argv[1:]))
