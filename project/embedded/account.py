"""Which operating-system account runs the database server.

PostgreSQL refuses to run as root, so root hands the server to an account without rights. The order is:
the owner of a cluster that is already there; the owner of the Esteira home, when that is an ordinary
user (`sudo make run` in somebody's clone); an account named `esteira`, made by an administrator for this;
`postgres`, which Debian has for just such files; and `nobody` only as the last way out, because other
services, and steps that somebody runs as `nobody`, could then read the database's files.
"""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from project.embedded.errors import EmbeddedPostgresError

NAMES_IN_ORDER = ("esteira", "postgres", "nobody")
ROOT = 0


class ChildIdentity(TypedDict, total=False):
    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True)
class Account:
    uid: int
    gid: int
    name: str

    @property
    def is_somebody_else(self) -> bool:
        return self.uid != os.geteuid()

    def child_identity(self) -> ChildIdentity:
        """Keyword arguments for `subprocess` that start a child as this account."""
        if not self.is_somebody_else:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def give(self, path: Path, mode: int) -> None:
        path.chmod(mode)
        if self.is_somebody_else:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def can_enter(self, folder: Path) -> bool:
        return self._can('cd -- "$1"', folder)

    def can_run(self, program: Path) -> bool:
        # Readable as well: the copy of a server that can be started but not read fails much later.
        return self._can('test -r "$1" && test -x "$1"', program)

    def _can(self, script: str, path: Path) -> bool:
        # The kernel answers, as that account: mode bits alone would miss access lists and mount options.
        probe = subprocess.run(
            ["/bin/sh", "-c", script, "sh", path],
            cwd="/",
            env={},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            **self.child_identity(),
        )
        return probe.returncode == 0


def own_account() -> Account:
    uid = os.geteuid()
    try:
        return _from_entry(pwd.getpwuid(uid))
    except KeyError:
        raise EmbeddedPostgresError(
            f"User number {uid} has no name on this machine (no line in /etc/passwd), and PostgreSQL "
            "does not start for such a user. Run Esteira as a named user, or set DATABASE_URL to a "
            "database of your own."
        ) from None


def choose_account(*, owners: list[int]) -> Account:
    """The account for the server; `owners` are the users who own the cluster and the home, if known."""
    if os.geteuid() != ROOT:
        return own_account()
    for uid in owners:
        try:
            if uid != ROOT:
                return _from_entry(pwd.getpwuid(uid))
        except KeyError:
            continue
    for name in NAMES_IN_ORDER:
        try:
            return _from_entry(pwd.getpwnam(name))
        except KeyError:
            continue
    raise EmbeddedPostgresError(
        "PostgreSQL does not run as root, and this machine has none of the accounts "
        f"{', '.join(NAMES_IN_ORDER)}. Make one with `useradd --system esteira`, run Esteira as an "
        "ordinary user, or set DATABASE_URL to a database of your own."
    )


def _from_entry(entry: pwd.struct_passwd) -> Account:
    return Account(uid=entry.pw_uid, gid=entry.pw_gid, name=entry.pw_name)
