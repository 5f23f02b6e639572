"""pack.py SOURCES FILE: the runner as one file, by its own packer, which needs nothing but the standard library."""

import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    runpy.run_path(str(Path(sys.argv[1], "build.py")))["build"](Path(sys.argv[2]))
