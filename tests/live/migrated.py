"""A database server with all tables made: what a platform of the tests begins with, where a new one would migrate."""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
from contextlib import ExitStack
from functools import cache
from typing import TYPE_CHECKING

from project.embedded.throwaway import throwaway
from tests.live.manager import ROOT

if TYPE_CHECKING:
    from project.embedded.postgres import EmbeddedPostgres


@cache
def migrated() -> EmbeddedPostgres:
    """Stopped. Made once in a run; a platform still finds out by itself that nothing is left to migrate."""
    stack = ExitStack()
    server = stack.enter_context(throwaway())
    atexit.register(stack.close)
    env = {**os.environ, "DATABASE_URL": server.url, "ESTEIRA_SECRET_KEY": "only-for-tests-" + "1" * 32}
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "migrate", "--verbosity", "0"],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    server.stop()
    return server
