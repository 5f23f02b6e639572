"""Pytest plugin (`-p tests.database`): a real PostgreSQL and a private home, before settings are read.

Loaded ahead of pytest-django, because settings take both from the environment. Workers of pytest-xdist inherit
the controller's.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from contextlib import ExitStack

from project.embedded.throwaway import throwaway

_stack = ExitStack()


def _set_up() -> None:
    if "ESTEIRA_HOME" not in os.environ or "PYTEST_XDIST_WORKER" in os.environ:
        home = tempfile.mkdtemp(prefix="esteira-test-home-")
        _stack.callback(shutil.rmtree, home, ignore_errors=True)
        os.environ["ESTEIRA_HOME"] = home
    if "DATABASE_URL" not in os.environ:
        os.environ["DATABASE_URL"] = _stack.enter_context(throwaway()).url
    os.environ["ESTEIRA_BROKER_URL"] = "memory://"
    os.environ["ESTEIRA_SECRET_KEY"] = "only-for-tests-" + "0" * 32
    atexit.register(_stack.close)


_set_up()
