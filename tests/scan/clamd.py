"""A real clamd of this machine, with a signature database that knows one thing: the EICAR test file."""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from project.embedded.debian import CLAMD

if TYPE_CHECKING:
    from collections.abc import Iterator

# In two halves, so that no scanner takes this file for what it looks for.
EICAR: Final = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + rb"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
SIGNATURE: Final = "Esteira.Test.Eicar"
STREAM_MOST: Final = 2 << 20
START_S: Final = 30


@contextmanager
def running() -> Iterator[str]:
    """Its address as ESTEIRA_CLAMD takes it."""
    program = CLAMD.path()
    if program is None:
        pytest.skip("this machine has no clamd")
    # Not below pytest's folder: the path of a socket has at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="clamd-") as folder:
        top = Path(folder)
        (top / "db").mkdir()
        (top / "db" / "own.hdb").write_text(
            f"{hashlib.md5(EICAR, usedforsecurity=False).hexdigest()}:{len(EICAR)}:{SIGNATURE}\n"
        )
        (top / "conf").write_text(
            f"LocalSocket {top}/s\nDatabaseDirectory {top}/db\nForeground yes\nStreamMaxLength {STREAM_MOST}\n"
            f"TemporaryDirectory {top}\nLogFile {top}/log\n"
        )
        process = subprocess.Popen(
            [program, "-c", str(top / "conf")], stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
        )
        try:
            _wait(top, process)
            yield f"unix:{top}/s"
        finally:
            process.kill()
            process.wait()


def _wait(top: Path, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_S
    while not (top / "s").exists():
        assert process.poll() is None, (top / "log").read_text()
        assert time.monotonic() < until, "clamd does not start"
        time.sleep(0.05)
