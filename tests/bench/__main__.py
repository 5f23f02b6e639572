from __future__ import annotations

import argparse
import sys

from tests.bench.suite import run


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the work: does it run at all?")
    sys.exit(run(quick=parser.parse_args().quick))


if __name__ == "__main__":
    main()
