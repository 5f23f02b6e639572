"""Where a task wants its files: absolute paths that can be had without hiding what a command needs of the machine."""

from __future__ import annotations

import glob
import posixpath
from typing import TYPE_CHECKING, Any, Final

from orchestration.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST: Final = 1000
# Of the machine, or of the platform's own protocol.
TAKEN: Final = frozenset(
    {"bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "libx32", "proc", "sbin", "sys", "usr", "_intermediate"}
)
TMP: Final = "tmp"
"""A step has one of its own anyway."""


def places(task: dict[str, Any]) -> list[str]:
    """The folders at the top that are to be made for it. Raises Invalid with the path that cannot be had."""
    return sorted({_top(what, path) for what, path in _paths(task)} - {TMP})


def _paths(task: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Each with what it is; a folder with a file of any name in it."""
    for kind in ("inputs", "outputs"):
        for number, one in enumerate(task.get(kind, ())):
            yield f"{kind}[{number}].path", one["path"]
    for number, volume in enumerate(task.get("volumes", ())):
        yield f"volumes[{number}]", posixpath.join(volume, "x")
    for number, executor in enumerate(task["executors"]):
        for name in ("stdin", "stdout", "stderr"):
            if executor.get(name):
                yield f"executors[{number}].{name}", executor[name]
        if executor.get("workdir"):
            yield f"executors[{number}].workdir", posixpath.join(executor["workdir"], "x")


def _top(what: str, path: str) -> str:
    plain = path.rstrip("/")
    if not path.startswith("/") or posixpath.normpath(plain) != plain or "\0" in path or len(path) > LONGEST:
        raise Invalid(f"{what} is {path[:200]!r}: write an absolute path without `.`, `..` and `//`.")
    top, _, below = plain[1:].partition("/")
    if not below:
        raise Invalid(f"{what} is {path[:200]!r}: files lie in a folder, for example /data{plain}.")
    if top in TAKEN or glob.has_magic(top):
        raise Invalid(f"{what} is {path[:200]!r}: /{top[:50]} cannot be had. Use another folder, for example /data.")
    return top
