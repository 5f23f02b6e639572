"""How an attempt ends: the table of failures, and the runner's own exit codes."""

from __future__ import annotations

from .quick import signal
from .watch import CANCEL, RESOURCES, TIME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .watch import Ended

# Exit codes of the runner itself.
REPORTED = 0  # the platform knows how the attempt ended, well or badly
USAGE = 2  # started wrongly: nothing has been done
FENCED = 3  # another attempt has taken over; the step is dead, nothing was handed over
REFUSED = 4  # the platform does not accept our calls
SILENT = 5  # the platform did not answer for as long as the runner waits
FAULT = 6  # a fault of the runner's; reported when possible

BAD_INPUT = 65
TRY_LATER = 75
SHELL_NOT_FOUND = 127
LONGEST_DETAIL = 1000
NAMES: dict[int, str] = {
    signal.SIGHUP: "SIGHUP",
    signal.SIGINT: "SIGINT",
    signal.SIGQUIT: "SIGQUIT",
    signal.SIGILL: "SIGILL",
    signal.SIGABRT: "SIGABRT",
    signal.SIGBUS: "SIGBUS",
    signal.SIGFPE: "SIGFPE",
    signal.SIGKILL: "SIGKILL",
    signal.SIGSEGV: "SIGSEGV",
    signal.SIGPIPE: "SIGPIPE",
    signal.SIGTERM: "SIGTERM",
    signal.SIGXFSZ: "SIGXFSZ",
    signal.SIGSYS: "SIGSYS",
}


class Result:
    """What `finish` says."""

    def __init__(self, outcome: str, failure_kind: str | None = None, detail: str = "") -> None:
        self.outcome = outcome
        self.failure_kind = failure_kind
        self.detail = detail
        self.retry = False
        self.outputs: list[dict[str, Any]] = []
        self.ended: Ended | None = None

    def body(self) -> dict[str, Any]:
        ended = self.ended
        usage = {"wall_s": 0.0, "cpu_s": 0.0, "max_rss_bytes": 0}
        if ended is not None:
            usage = {
                "wall_s": round(ended.wall_s, 3),
                "cpu_s": round(ended.cpu_s, 3),
                "max_rss_bytes": ended.max_rss_bytes,
            }
        return {
            "outcome": self.outcome,
            "exit_code": ended.exit_code if ended else None,
            "signal": ended.signal if ended else None,
            "failure_kind": self.failure_kind,
            "detail": self.detail[:LONGEST_DETAIL],
            "retry": self.retry,
            "outputs": self.outputs,
            "usage": usage,
        }


def judge(ended: Ended, error: str, last_line: str) -> Result:
    """The row of the table that fits. `error` is the step's own sentence."""
    result = _stopped(ended) or _file_too_large(ended, error) or _by_itself(ended, error, last_line)
    result.ended = ended
    return result


def _stopped(ended: Ended) -> Result | None:
    if ended.reason == CANCEL:
        return Result("canceled")
    if ended.reason == TIME:
        return Result("timed_out", "RESOURCES", ended.sentence)
    if ended.reason == RESOURCES:
        return Result("failed", "RESOURCES", ended.sentence)
    return None


def _file_too_large(ended: Ended, error: str) -> Result | None:
    """A write past the limit ends a program by a signal, unless it ignores that one, as Python does."""
    if ended.signal == signal.SIGXFSZ or (ended.full_file and ended.exit_code not in (0, BAD_INPUT, TRY_LATER)):
        return Result("failed", "RESOURCES", error or "The step wrote a file larger than its limit.")
    return None


def _by_itself(ended: Ended, error: str, last_line: str) -> Result:
    if ended.exit_code == 0:
        return Result("succeeded")
    if ended.exit_code == BAD_INPUT:
        return Result("failed", "INPUT", error or _with(last_line, "The step cannot process this input."))
    if ended.exit_code == TRY_LATER:
        result = Result("failed", "USER_CODE", error or _with(last_line, "The step asks to be tried again."))
        result.retry = True
        return result
    if ended.signal is not None:
        return Result("failed", "USER_CODE", error or _with(last_line, _by_signal(ended.signal)))
    sentence = f"The command ended with exit code {ended.exit_code}."
    return Result("failed", "USER_CODE", error or _with(last_line, sentence))


def _by_signal(number: int) -> str:
    sentence = f"The command was ended by signal {number} ({NAMES.get(number, 'unnamed')})."
    if number == signal.SIGKILL:
        sentence += " Often the machine has run out of memory then."
    return sentence


def _with(last_line: str, sentence: str) -> str:
    return f"{sentence} Its last line was: {last_line}" if last_line else sentence
