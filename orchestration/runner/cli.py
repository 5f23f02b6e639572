"""The command line, with the token on standard input.

runner.pyz --server URL --work DIR [--probe-cache FILE] [--patience SECONDS]
runner.pyz --claim --work DIR [--probe-cache FILE] [--patience SECONDS]
                                   address and token from the environment, as a container of AWS Batch
runner.pyz --sweep ATTEMPT_ID      ends what an attempt has left behind when its runner was killed
"""

from __future__ import annotations

import os
import sys

from .attempt import Attempt
from .ends import USAGE
from .tree import Tree
from .urls import split

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

    from .container import Container

LONGEST_TOKEN = 8192
PATIENCE_S = 900.0
NEEDED = ("--server", "--work")
KNOWN = (*NEEDED, "--probe-cache", "--patience")
LEFT = 1
SWEEP = "--sweep"
CLAIM = "--claim"


class Options:
    def __init__(self, given: dict[str, str]) -> None:
        self.server = given["--server"]
        self.work = given["--work"]
        # Until the work order says how long.
        self.patience_s = float(given.get("--patience", PATIENCE_S))
        # Where to keep whether bubblewrap works here.
        self.probe_cache = given.get("--probe-cache")
        split(self.server)


def main(argv: list[str], token_stream: BinaryIO) -> int:
    """One attempt, or those of a container. May be called in a fork of a process that has this loaded, one-threaded."""
    if len(argv) == 2 and argv[0] == SWEEP:  # noqa: PLR2004
        return 0 if Tree(argv[1], search=True).kill() else LEFT
    try:
        if argv[:1] == [CLAIM]:
            work: Attempt | Container = _container(argv[1:])
        else:
            work = Attempt(Options(_parse(argv)), _token(token_stream))
    except (ValueError, OSError) as wrong:
        print(f"runner: {wrong}", file=sys.stderr)
        return USAGE
    return work.run()


def _container(argv: list[str]) -> Container:
    from .container import Container, Given  # noqa: PLC0415  not loaded for the runners of one machine

    given = Given(os.environ)
    return Container(Options(_parse(["--server", given.server, *argv])), given)


def _parse(argv: list[str]) -> dict[str, str]:
    # argparse would cost 8 ms.
    given: dict[str, str] = {}
    words = iter(argv)
    for word in words:
        name, equals, value = word.partition("=")
        if name not in KNOWN:
            raise ValueError(f"unknown option {name}")
        given[name] = value if equals else next(words, "")
        if not given[name]:
            raise ValueError(f"{name} needs a value")
    for name in NEEDED:
        if name not in given:
            raise ValueError(f"{name} is missing")
    return given


def _token(stream: BinaryIO) -> str:
    token = stream.readline(LONGEST_TOKEN).strip()
    if not token or any(byte <= 32 or byte >= 127 for byte in token):  # noqa: PLR2004
        raise ValueError("no usable token on standard input")
    return token.decode("ascii")
