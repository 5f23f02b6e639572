"""python -m project.process NAME …: becomes one process of the platform. It is what containers of the image start."""

from __future__ import annotations

import os
import sys
import urllib.request
from pathlib import Path
from typing import Final

from project.children import BEAT, WEB, WEB_ENV, WORKER

MANAGE: Final = str(Path(__file__).resolve().parent.parent / "manage.py")
PROCESSES: Final = {
    "web": WEB,
    "worker": WORKER,
    "beat": BEAT,
    "engine": [MANAGE, "local_engine"],
    "events": [MANAGE, "consume_events"],
    "exporter": [MANAGE, "exporter"],
    "prepare": [MANAGE, "prepare"],
    "manage": [MANAGE],
}
HEALTHY: Final = "healthy"
PATIENCE_S: Final = 4
USAGE: Final = 2


def main(words: list[str]) -> None:
    name, *rest = words or [""]
    if name == HEALTHY and not rest:
        sys.exit(_trouble())
    if name not in PROCESSES:
        sys.stderr.write(f"There is no process {name!r}. Give one of: {', '.join([*PROCESSES, HEALTHY])}.\n")
        sys.exit(USAGE)
    if home := os.environ.get("ESTEIRA_HOME"):
        Path(home).mkdir(mode=0o700, parents=True, exist_ok=True)
    given = {**(WEB_ENV if name == "web" else {}), "ESTEIRA_PROCESS": name, **os.environ}
    os.execve(sys.executable, [sys.executable, *PROCESSES[name], *rest], given)  # noqa: S606


def _trouble() -> str | None:
    """Why the web process of this container is not ready; None: it is."""
    url = f"http://127.0.0.1:{os.environ.get('ESTEIRA_PORT', '8000')}/health/ready"
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE_S):
            return None
    except OSError as wrong:
        return f"{url}: {wrong}"


if __name__ == "__main__":
    main(sys.argv[1:])
