"""What runs the steps: this machine's supervisor and its walls, or AWS."""

from __future__ import annotations

import fcntl
from typing import TYPE_CHECKING

from django.conf import settings

from orchestration.findings import ERROR, WARNING, Fault, tried
from orchestration.runner import sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestration.findings import Finding


def examine() -> Iterator[Finding]:
    if settings.ENGINE == "aws":
        # Imported where it is used: a laptop has no need of boto3.
        from orchestration.engines.step_functions.cell import Cell  # noqa: PLC0415
        from orchestration.engines.step_functions.clients import Clients  # noqa: PLC0415
        from orchestration.engines.step_functions.probe import probe  # noqa: PLC0415

        cell = Cell(**settings.AWS_CELL)
        yield from probe(cell, Clients(cell))
        return
    yield from tried([("supervisor", _supervisor)])
    yield from tried([("walls", _walls)])


def _supervisor() -> str:
    """It holds a lock for as long as it lives."""
    path = settings.ESTEIRA_HOME / "engine.lock"
    try:
        with path.open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return "runs"
    except FileNotFoundError:
        pass
    except OSError as exc:
        raise Fault(
            f"Whether an engine runs cannot be seen: {path} cannot be read ({exc.strerror}).",
            causes=("ESTEIRA_HOME belongs to another user than the one who asks",),
            command=f"ls -ld {settings.ESTEIRA_HOME}; id",
        ) from exc
    raise Fault(
        f"No local engine runs on this machine for {settings.ESTEIRA_HOME}: nothing starts.",
        causes=("it was not started", "it ended: see its log", "ESTEIRA_HOME is another folder here than there"),
        command="python manage.py local_engine (make run starts one)",
    )


def _walls() -> str:
    if settings.STEP_ISOLATION == "none":
        return "off, as ESTEIRA_STEP_ISOLATION says"
    bwrap = sandbox.find()
    if bwrap is not None and sandbox.works(bwrap, None):
        return "bubblewrap"
    raise Fault(
        "Steps run without walls: bubblewrap is not installed."
        if bwrap is None
        else "Steps run without walls: this kernel does not let bubblewrap make namespaces.",
        WARNING if settings.STEP_ISOLATION == "auto" else ERROR,
        causes=() if bwrap is None else ("a container without the right to make user namespaces", "an AppArmor rule"),
        command="apt-get install bubblewrap"
        if bwrap is None
        else "sysctl kernel.unprivileged_userns_clone kernel.apparmor_restrict_unprivileged_userns",
    )
