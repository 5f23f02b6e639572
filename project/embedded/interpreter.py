"""Finds a Python of the wanted version that really runs.

Asking uv alone is not enough: it stops at the first `python3.13` on PATH, and that may be a pyenv shim
that ends with code 127. So every candidate is tried, and uv gets an explicit path.
"""

import os
import pwd
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

PROBE = """
import ssl, sqlite3, sys, zlib
print("%d.%d" % sys.version_info[:2], sys.implementation.name, getattr(sys, "_base_executable", sys.executable))
"""
PROBE_LIMIT_S = 20
USUAL_FOLDERS = ("/usr/bin", "/usr/local/bin", "/opt/homebrew/bin")


def find_interpreter(version: str) -> Path | None:
    """The first interpreter of that version (such as "3.13") that starts and has its standard library."""
    seen: set[Path] = set()
    for candidate in _candidates(version):
        if candidate in seen or not os.access(candidate, os.X_OK):
            continue
        seen.add(candidate)
        if found := probe(candidate, version):
            return found
    return None


def probe(candidate: Path, version: str) -> Path | None:
    """The interpreter behind a candidate (a shim, a link, a venv), if it has the version and runs."""
    try:
        done = subprocess.run(
            [candidate, "-I", "-c", PROBE],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PROBE_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    words = done.stdout.strip().split(" ", maxsplit=2)
    if done.returncode != 0 or words[:2] != [version, "cpython"] or not Path(words[2]).exists():
        return None
    return Path(words[2])


def _candidates(version: str) -> Iterator[Path]:
    if "{}.{}".format(*sys.version_info[:2]) == version:
        yield Path(sys.executable)
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    for name in (f"python{version}", "python3", "python"):
        # All of them, not only the first: that one may be a shim that does not work.
        yield from (folder / name for folder in [*folders, *map(Path, USUAL_FOLDERS)])
    for root in _pyenv_roots(folders):
        versions = sorted(root.glob(f"versions/{version}*"), key=_version_numbers, reverse=True)
        yield from (folder / "bin" / f"python{version}" for folder in versions)


def _pyenv_roots(folders: list[Path]) -> Iterator[Path]:
    if root := os.environ.get("PYENV_ROOT"):
        yield Path(root)
    # HOME may be an empty folder while PATH still has somebody's shims.
    yield from (folder.parent for folder in folders if folder.name == "shims")
    if home := os.environ.get("HOME"):
        yield Path(home) / ".pyenv"
    try:
        yield Path(pwd.getpwuid(os.geteuid()).pw_dir) / ".pyenv"
    except KeyError:
        return


def _version_numbers(folder: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", folder.name)]
