"""Whose call it is: the process in which the code that asks would run, by the outermost of its modules."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

ROOT: Final = Path(__file__).resolve().parents[2]
OURS: Final = ("orchestration/", "project/", "api_app/", "frontend_app/")
MACHINE: Final = "moto/stepfunctions/parser/"
_VENDOR: Final = re.compile(r"/(?:botocore|boto3)/")

# The first that fits. What only adapters say is nobody's call: their own tests ask everything of them.
PROCESSES: Final = (
    ("orchestration/storage/probe.py", "check_storage"),
    ("project/management/commands/check_storage.py", "check_storage"),
    ("project/management/commands/prepare.py", "migrate"),
    ("project/management/commands/doctor.py", "doctor"),
    ("project/doctor/", "doctor"),
    ("project/management/commands/consume_events.py", "consumer"),
    ("orchestration/services/events.py", "consumer"),
    ("orchestration/services/engine_events.py", "consumer"),
    ("orchestration/services/scan_results.py", "consumer"),
    ("orchestration/tasks.py", "worker"),
    ("orchestration/execution/", "worker"),
    ("orchestration/engines/", ""),
    ("orchestration/queues/", ""),
    ("orchestration/storage/", ""),
    ("orchestration/services/", "web"),
    ("api_app/", "web"),
    ("frontend_app/", "web"),
    ("project/", "web"),
)


def process_of(frame: FrameType | None) -> str:
    """Empty for calls of the tests themselves, and for those of adapters that no process is behind."""
    names = list(_names(frame))
    if not names or names[0].startswith("tests/"):
        return ""
    if MACHINE in names[0]:
        return "state_machine"
    ours = [name for name in names if name.startswith(OURS)]
    return next((process for place, process in PROCESSES if ours and ours[-1].startswith(place)), "")


def _names(frame: FrameType | None) -> Iterator[str]:
    """From the caller of the vendor's code outwards, as paths below the root of the repository."""
    while frame is not None:
        name = frame.f_code.co_filename
        frame = frame.f_back
        if not _VENDOR.search(name):
            yield name.removeprefix(f"{ROOT}/")
