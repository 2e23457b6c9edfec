"""python -m sdfo.cli: the same as `sdfo`."""

import sys

from sdfo.cli import main

if __name__ == "__main__":
    sys.exit(main())
