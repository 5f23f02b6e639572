"""Dump the database, or take a dump that is there, and restore it to a server that was not there before."""

from __future__ import annotations

import os
import re
import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from project.embedded.server_files import own_programs

if TYPE_CHECKING:
    from pathlib import Path

AT_ONCE: Final = 2


class DrillError(Exception):
    """What a program of the database said when it failed."""


def dump(url: str, target: Path) -> None:
    """In the custom format, of one moment, while everything goes on."""
    _run("pg_dump", url, "--format=custom", "--no-owner", "--no-privileges", f"--file={target}")


def restore(source: Path, url: str) -> None:
    """Into an empty database."""
    _run("pg_restore", url, "--no-owner", "--no-privileges", "--exit-on-error", f"--jobs={AT_ONCE}", str(source))


def made_at(source: Path) -> datetime:
    """When the dump was made, as it says itself."""
    said = _run("pg_restore", "", "--list", str(source))
    found = re.search(r"Archive created at (\S+ \S+) UTC", said)
    if found is None:
        raise DrillError(f"{source} does not say when it was made.")
    return datetime.fromisoformat(found[1]).replace(tzinfo=UTC)


def _run(program: str, url: str, *words: str) -> str:
    known: dict[str, Any] = dict(conninfo_to_dict(url))
    # The password goes by the environment: everybody on the machine can read a command line.
    environment = os.environ | {"TZ": "UTC"} | ({"PGPASSWORD": known.pop("password")} if "password" in known else {})
    database = [f"--dbname={make_conninfo('', **known)}"] if known else []
    command = [str(own_programs() / program), *database, *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DrillError(f"{program} failed. {done.stderr.strip()[-2_000:]}")
    return done.stdout
