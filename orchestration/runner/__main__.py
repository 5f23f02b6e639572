"""Start as a program: `python -I -S runner.pyz …`, or `python -m orchestration.runner …` from a tree."""

from __future__ import annotations

import os
import sys

from .cli import main


def run() -> None:
    code = main(sys.argv[1:], sys.stdin.buffer)
    sys.stderr.flush()
    # The exit file is written and nothing is left to do: taking the interpreter apart would cost 2 ms.
    os._exit(code)


if __name__ == "__main__":
    run()
