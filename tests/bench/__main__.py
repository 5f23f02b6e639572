from __future__ import annotations

import argparse
import sys

from tests.bench.admin import DEFAULT_JOBS
from tests.bench.suite import MEASURES, run


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the work: does it run at all?")
    parser.add_argument("--only", choices=sorted(MEASURES), default="", help="this part alone")
    parser.add_argument("--jobs", type=int, default=DEFAULT_JOBS, help="for the pages")
    asked = parser.parse_args()
    sys.exit(run(quick=asked.quick, only=asked.only, jobs=asked.jobs))


if __name__ == "__main__":
    main()
