"""How the command ends: one number for each thing that a script would do differently (docs/command.md)."""

from enum import IntEnum
from typing import Self


class ExitCode(IntEnum):
    told: str

    def __new__(cls, number: int, told: str) -> Self:
        code = int.__new__(cls, number)
        code._value_ = number
        code.told = told
        return code

    DONE = 0, "done; of a job that was watched: it SUCCEEDED"
    FAILED = (
        1,
        "the job FAILED or TIMED_OUT, or one of many things went wrong: a file, a job of a bulk, a signature",
    )
    USAGE = 2, "cannot be done as typed: a wrong option, a file that is not there, a question with nobody to answer"
    CANCELED = 3, "the job was CANCELED"
    UNREACHABLE = 4, "the platform cannot be reached, is too busy or fails; the same again later may work"
    NOT_SIGNED_IN = 5, "no login is known here, or the platform does not accept it"
    NOT_FOUND = 6, "there is no such job, file, pipeline or other thing, or you may not see it"
    REFUSED = 7, "the platform understood and said no; the sentence says why"
    INTERNAL = 70, "a mistake in the command itself, with a traceback to report"
    INTERRUPTED = (
        130,
        "stopped with Ctrl-C; a submitted job goes on, an upload too when the command is run again",
    )
    BROKEN_PIPE = 141, "whoever read the output stopped reading, as `head` does"


# "Not now", not "no".
PASSING = frozenset({408, 425, 429})
SERVER_ERROR = 500


def exit_code_of(status: int) -> ExitCode:
    """Of an answer by HTTP that is no success."""
    if status in PASSING or status >= SERVER_ERROR:
        return ExitCode.UNREACHABLE
    return {401: ExitCode.NOT_SIGNED_IN, 404: ExitCode.NOT_FOUND, 410: ExitCode.NOT_FOUND}.get(status, ExitCode.REFUSED)
