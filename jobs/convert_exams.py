"""Convert the exams of a run with Spark: spark-submit jobs/convert_exams.py --run ID [--conf FILE]."""

import sys

from sdfo.nightly.convert import convert
from sdfo.spark.job import run_step

if __name__ == "__main__":
    sys.exit(run_step("convert", convert, sys.argv[1:]))
