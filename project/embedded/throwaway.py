"""A database server for one test run: in a temporary folder, fast, and safe only from nothing."""

import contextlib
import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from project.embedded.errors import EmbeddedPostgresError
from project.embedded.place import SHORT_FOLDER
from project.embedded.postgres import EmbeddedPostgres

IN_MEMORY = Path("/dev/shm")  # noqa: S108  the folder made in it is private
ENOUGH_BYTES = 2**30
PREFIX = "esteira-throwaway-"
NO_SAFETY = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


@contextlib.contextmanager
def throwaway(
    settings: Mapping[str, str] | None = None, *, like: EmbeddedPostgres | None = None, is_large: bool = False
) -> Iterator[EmbeddedPostgres]:
    """A running server that is gone afterwards, with everything in it. It begins with the data of `like`, stopped.

    `is_large`: it will hold more than there is memory for.
    """
    _sweep()
    home = Path(tempfile.mkdtemp(prefix=PREFIX, dir=SHORT_FOLDER if is_large else temporary_root()))
    home.chmod(0o711)  # as root the server runs under another account, which passes through here
    server = EmbeddedPostgres(home, settings={**NO_SAFETY, **(settings or {})})
    # Held while we live: whoever can take it later knows that we were killed.
    with (home / "in-use").open("w") as claim:
        fcntl.flock(claim, fcntl.LOCK_EX)
        try:
            if like and not (like.home / "postgres" / "location").exists():  # its data would be elsewhere
                _copy(like.home, home)
            server.ensure_running()
            yield server
        finally:
            server.stop("immediate")
            shutil.rmtree(home, ignore_errors=True)


def _copy(source: Path, home: Path) -> None:
    # With the owners of its files, which shutil would not keep.
    subprocess.run(["cp", "-pR", source / "postgres", home / "postgres"], check=True)


def temporary_root() -> Path:
    """Memory where there is plenty of it: a busy disk makes the thousand files of a cluster slow."""
    if os.access(IN_MEMORY, os.W_OK) and shutil.disk_usage(IN_MEMORY).free >= ENOUGH_BYTES:
        return IN_MEMORY
    return SHORT_FOLDER


def _sweep() -> None:
    """Stop and delete what earlier test runs left behind because they were killed."""
    for home in (*SHORT_FOLDER.glob(f"{PREFIX}*"), *IN_MEMORY.glob(f"{PREFIX}*")):
        claim = home / "in-use"
        if home.is_symlink() or home.lstat().st_uid != os.geteuid() or not claim.exists():
            continue
        with (
            contextlib.suppress(BlockingIOError, FileNotFoundError, EmbeddedPostgresError),
            claim.open() as held,
        ):
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            EmbeddedPostgres(home).stop("immediate")
            shutil.rmtree(home, ignore_errors=True)
