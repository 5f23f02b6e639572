"""A step's log as text for a page: whole lines, no terminal codes, nothing that could act."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from orchestration.services.logs import read_log

if TYPE_CHECKING:
    from orchestration.models import Attempt

CHUNK: Final = 256 << 10
TAIL: Final = 64 << 10

# CSI, OSC (ended by BEL or ST), and the two-character escapes.
_ESCAPES: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])")
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def plain(data: bytes) -> str:
    text = data.decode("utf-8", "replace")
    text = _ESCAPES.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)


def log_text(*, attempt: Attempt, offset: int) -> tuple[str, int, bool]:
    """Text from `offset` (negative: from the end), the offset to go on from, and whether that is all.

    Stops after a whole line, so that neither a character nor a terminal code is cut in two between calls.
    """
    part = read_log(attempt=attempt, offset=offset, limit=CHUNK)
    data, end = part.data, part.end
    start = end - len(data)
    if offset < 0 and start > 0:
        data = data[data.find(b"\n") + 1 :]
    if not part.is_complete and data:
        cut = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        if cut or len(data) < CHUNK:
            end -= len(data) - cut
            data = data[:cut]
    return plain(data), end, part.is_complete
