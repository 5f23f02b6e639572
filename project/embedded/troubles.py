"""Turns what PostgreSQL writes when it cannot start into a sentence that says what to do."""

import shutil
from pathlib import Path

from project.embedded.errors import EmbeddedPostgresError

TAIL_LINES = 12


def explain(output: str, *, place: Path, doing: str) -> EmbeddedPostgresError:
    """The error for a failed program of the server, from its output."""
    for mark, sentence in _SENTENCES.items():
        if mark in output:
            said = next(line for line in output.splitlines() if mark in line).strip()
            cure = sentence.format(place=place, doing=doing, free=_free_mib(place))
            return EmbeddedPostgresError(f"{cure}\n  {said}")
    tail = "\n".join(f"  {line}" for line in output.strip().splitlines()[-TAIL_LINES:])
    return EmbeddedPostgresError(f"PostgreSQL failed while {doing} in {place}. Its last words were:\n{tail}")


def explain_os_error(error: OSError, *, place: Path) -> EmbeddedPostgresError:
    """The error for a folder that we ourselves could not write."""
    return explain(error.strerror or str(error), place=Path(error.filename or place), doing="preparing the database")


def _free_mib(place: Path) -> int:
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free // 2**20


_SENTENCES = {
    "No space left on device": (
        "The disk that holds {place} is full ({free} MiB free) while {doing}. Free some space "
        "(200 MiB are enough for an empty database) and run the command again; nothing is lost."
    ),
    "Disk quota exceeded": (
        "Your disk quota is used up where {place} lies, while {doing}. Free some space or set "
        "ESTEIRA_HOME to a folder on another disk, and run the command again; nothing is lost."
    ),
    "Permission denied": (
        "PostgreSQL was not allowed to read or write {place} while {doing}. Give the folder back to the user "
        "that runs Esteira (`chown -R`), or set ESTEIRA_HOME to a folder that this user can write."
    ),
    "Read-only file system": (
        "{place} lies on a file system that cannot be written. Set ESTEIRA_HOME to a folder that can, and "
        "run the command again."
    ),
    "is still in use": (
        "An older database server still uses {place}, though its pid file is gone. Stop it (look for "
        "`postgres` in `ps -ef`) and run the command again."
    ),
    "could not create shared memory segment": (
        "The system has no shared memory left for PostgreSQL while {doing} in {place}. Stop other database "
        "servers on this machine and run the command again."
    ),
}
