"""A step's log as text for a page: whole lines, no terminal codes, nothing that could act."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from orchestration.services.logs import lines_before, offset_of_line, read_log

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


@dataclass(frozen=True, slots=True)
class LogText:
    """Lines as text. `line` is the number of the first, None where that is not known; `end` is where to go on from."""

    text: str
    line: int | None
    start: int
    end: int
    is_complete: bool


def log_text(*, attempt: Attempt, offset: int) -> LogText:
    """Text from `offset`; a negative one counts from the end, and has its lines numbered.

    Stops after a whole line, so that neither a character nor a terminal code is cut in two between calls.
    """
    part = read_log(attempt=attempt, offset=offset, limit=CHUNK)
    data, end = part.data, part.end
    start = end - len(data)
    if offset < 0 and start > 0:
        begin = data.find(b"\n") + 1
        data, start = data[begin:], start + begin
    if not part.is_complete and data:
        cut = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        if cut or len(data) < CHUNK:
            end -= len(data) - cut
            data = data[:cut]
    line = None
    if offset <= 0:
        before = lines_before(attempt=attempt, offset=start)
        line = None if before is None else before + 1
    return LogText(plain(data), line, start, end, part.is_complete)


def log_from_line(*, attempt: Attempt, line: int) -> LogText:
    """From that line on; from the end where the log has no such line."""
    offset = offset_of_line(attempt=attempt, line=max(1, line))
    if offset is None:
        return log_text(attempt=attempt, offset=-TAIL)
    return replace(log_text(attempt=attempt, offset=offset), line=max(1, line))
