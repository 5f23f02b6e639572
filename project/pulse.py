"""A file that a process touches as long as it goes round: what Kubernetes asks of those that serve nothing.

`python -m project.pulse 60` ends with 1 where that was longer ago than so many seconds. Neither side touches anything
outside of the container, so a database that is away restarts nobody.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Final

EVERY_S: Final = 10.0


def beat() -> None:
    """Nothing where ESTEIRA_PULSE names no file."""
    if file := os.environ.get("ESTEIRA_PULSE"):
        Path(file).touch()


def age_s() -> float:
    """FileNotFoundError before the first beat."""
    return time.time() - Path(os.environ["ESTEIRA_PULSE"]).stat().st_mtime


def main(most_s: str) -> None:
    try:
        age = age_s()
    except FileNotFoundError:
        sys.exit("There was no beat yet.")
    if age > float(most_s):
        sys.exit(f"The last beat was {age:.0f} s ago.")


if __name__ == "__main__":
    main(sys.argv[1])
