"""Snakemake with its executor for TES as their authors published them, in an environment of its own.

It brings half a hundred packages, and a py-tes (below 0.5) that cannot lie beside the one that we test with. Pins anew:
`uv pip compile --universal --generate-hashes --no-header tests/live/snakemake.in -o tests/live/snakemake.txt`.
"""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from project.embedded.uv import environment

KEPT: Final = Path(__file__).resolve().parents[2] / "build" / "snakemake"
PINS: Final = Path(__file__).with_name("snakemake.txt")
UV: Final = Path(sys.executable).with_name("uv")


def environment_of_snakemake() -> Path:
    """Made when it is not there. Skips the test where it cannot be had."""
    home = KEPT / hashlib.sha256(PINS.read_bytes()).hexdigest()[:12]
    KEPT.mkdir(parents=True, exist_ok=True)
    with (KEPT / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "complete").exists():
            _make(home)
    return home


def _make(home: Path) -> None:
    python = str(home / "bin" / "python")
    for command in (
        ["venv", "--clear", "--python", sys.executable, str(home)],
        ["pip", "install", "--quiet", "--python", python, "--require-hashes", "-r", str(PINS)],
    ):
        done = subprocess.run(
            [str(UV), *command], env=environment(), capture_output=True, text=True, timeout=300, check=False
        )
        if done.returncode:
            pytest.skip(f"needs Snakemake: its packages could not be had: {done.stderr.strip()[-300:]}")
    (home / "complete").touch()
