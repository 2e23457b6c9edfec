"""Verify the attempts of a run with Spark: spark-submit jobs/verify_exams.py --run ID [--conf FILE]."""

import sys

from sdfo.nightly.verify import verify
from sdfo.spark.job import run_step

if __name__ == "__main__":
    sys.exit(run_step("verify", verify, sys.argv[1:]))
