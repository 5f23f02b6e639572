"""Where a cluster lives, and how clients reach it.

Normally that is `$ESTEIRA_HOME/postgres`. Below a private folder (root's own home, say) the server's
account could not get there; then root keeps the cluster in /var/lib/esteira and writes down where.
Nobody else's folder ever gets another mode.
"""

import contextlib
import hashlib
import os
import socket
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from project.embedded.account import Account, choose_account
from project.embedded.errors import EmbeddedPostgresError

ROOTS_OWN_PLACE = Path("/var/lib/esteira")
SHORT_FOLDER = Path("/tmp")  # noqa: S108  the path has to be short; the folder made in it is private and checked
SOCKET_FILE = ".s.PGSQL.5432"
# The kernel's limit for a socket's path is 107 bytes on Linux and 103 on macOS.
LONGEST_SOCKET_PATH = 103


@dataclass(frozen=True)
class Place:
    root: Path
    account: Account

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def log(self) -> Path:
        return self.root / "log"

    @property
    def settings(self) -> Path:
        return self.root / "esteira.conf"

    @property
    def programs_cache(self) -> Path:
        return self.root / "server"

    @property
    def start_log(self) -> Path:
        return self.log / "start.log"


def find_place(own: Path) -> Place:
    """The place that belongs to a home; `own` is the home's folder for the database, which exists."""
    noted = _noted(own)
    data_owners = [folder.stat().st_uid for folder in (noted / "data",) if folder.exists()]
    account = choose_account(owners=[*data_owners, own.parent.stat().st_uid])
    if data_owners and data_owners[0] != account.uid:
        raise EmbeddedPostgresError(
            f"The database in {noted} belongs to user number {data_owners[0]}, and you are {account.name}. "
            "Run Esteira as that user, or set ESTEIRA_HOME to a folder of your own."
        )
    if noted != own or data_owners or account.can_enter(own):
        return Place(noted, account)
    return Place(_elsewhere(own, account), account)


def _noted(own: Path) -> Path:
    try:
        elsewhere = Path((own / "location").read_text(encoding="utf-8").strip())
    except FileNotFoundError:
        return own
    claim = elsewhere / "home"
    other = Path(claim.read_text(encoding="utf-8").strip()) if claim.exists() else own
    if other != own and (other / "location").exists():
        raise EmbeddedPostgresError(
            f"{own} looks like a copy of {other}: both name the database in {elsewhere}. "
            f"Delete {own / 'location'} to start here with an empty database of its own."
        )
    if other != own:
        claim.write_text(str(own), encoding="utf-8")  # the home was moved
    return elsewhere


def _elsewhere(own: Path, account: Account) -> Path:
    root = ROOTS_OWN_PLACE / _short_hash(own) / "postgres"
    root.mkdir(parents=True, exist_ok=True)
    for folder in (ROOTS_OWN_PLACE, root.parent, root):
        folder.chmod(0o755)
    if not account.can_enter(root):
        raise EmbeddedPostgresError(
            f"PostgreSQL does not run as root, and {account.name} can reach neither {own} nor {root}. "
            "Run Esteira as an ordinary user, or set ESTEIRA_HOME to a folder that everybody can enter."
        )
    (root / "home").write_text(str(own), encoding="utf-8")
    (own / "location").write_text(str(root), encoding="utf-8")
    return root


def socket_folder(place: Place) -> Path | None:
    """A private folder for the server's socket, or nothing where only TCP on loopback is possible."""
    inside = place.root / "run"
    name = f"esteira-{place.account.uid}-{_short_hash(place.data)}"
    for folder in (inside, SHORT_FOLDER / name):
        fits = len(os.fsencode(folder / SOCKET_FILE)) <= LONGEST_SOCKET_PATH
        if fits and _is_private(folder, place.account) and _takes_sockets(folder):
            return folder
    return None


def _is_private(folder: Path, account: Account) -> bool:
    """Whether the folder is the account's alone; made if it is missing.

    Somebody who made it first in /tmp could answer in the server's place, so such a folder is refused.
    """
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid():  # new, or left so by a killed start
        account.give(folder, 0o700)
        found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == account.uid and not found.st_mode & 0o077


def forget_socket_folder(folder: str) -> None:
    if Path(folder).parent == SHORT_FOLDER:
        with contextlib.suppress(OSError):
            Path(folder).rmdir()


def _takes_sockets(folder: Path) -> bool:
    # Folders shared with a virtual machine often cannot hold sockets at all.
    trial = folder / ".trial"
    with socket.socket(socket.AF_UNIX) as listener:
        try:
            trial.unlink(missing_ok=True)
            listener.bind(str(trial))
        except OSError:
            return False
    trial.unlink()
    return True


def private_file(path: Path, content: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    descriptor, fresh = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    owner = path.parent.stat()
    if owner.st_uid != os.geteuid():
        os.chown(fresh, owner.st_uid, owner.st_gid)
    Path(fresh).replace(path)


def _short_hash(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
