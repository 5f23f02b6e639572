"""A step's side of the contract: where its files are, how it reports, how it refuses."""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

EX_DATAERR = 65
PROGRESS_EVERY_S = 0.2


class Refusal(Exception):
    """The input cannot be processed; the message is the sentence that its owner reads."""


def run(main: Callable[[], None]) -> None:
    try:
        main()
    except Refusal as refusal:
        print(f"::error {one_line(str(refusal))}", flush=True)
        sys.exit(EX_DATAERR)


def one_line(text: str, limit: int = 500) -> str:
    """Text that cannot start a line of its own in the log, whatever a file's name or content says."""
    flat = " ".join(text.split())
    flat = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in flat)
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def params() -> dict[str, Any]:
    return dict(json.loads(Path(os.environ["ESTEIRA_PARAMS"]).read_bytes()))


def output(name: str) -> Path:
    """A path for an output file; its folder exists."""
    path = Path(os.environ["ESTEIRA_OUTPUTS"], name)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def write_json(name: str, value: object) -> None:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    # A name from a broken archive or table may hold half a surrogate pair, which UTF-8 cannot carry.
    output(name).write_text(text, encoding="utf-8", errors="replace")


def scratch() -> Path:
    return Path(os.environ["TMPDIR"])


def stem(name: str) -> str:
    """The name without its last extension, for outputs named after their input."""
    return Path(name).stem or "file"


class Progress:
    """Moves the bar at most five times a second, however often it is told."""

    def __init__(self) -> None:
        self._last_s = 0.0

    def __call__(self, share: float, text: str = "") -> None:
        now = time.monotonic()
        if now - self._last_s < PROGRESS_EVERY_S and share < 1:
            return
        self._last_s = now
        print(f"::progress {min(max(share, 0.0), 1.0):.3f} {one_line(text, 120)}".rstrip(), flush=True)
