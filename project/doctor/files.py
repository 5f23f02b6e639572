"""Where files lie: each folder or bucket, tried with a file, and the room that is left."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.core.files.storage import FileSystemStorage, storages

from orchestration.findings import ERROR, WARNING, Fault, tried
from project.management.commands.check_storage import look
from project.object_storage import IN_BUCKETS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestration.findings import Finding

ALIASES: Final = ("uploads", "results", "logs", "code")
GIB: Final = 1 << 30
LITTLE: Final = 5 * GIB
TOO_LITTLE: Final = GIB
"""Below it uploads end half-way, and PostgreSQL on the same disk stops."""


def examine() -> Iterator[Finding]:
    for alias in ALIASES:
        storage = storages[alias]
        if isinstance(storage, FileSystemStorage):
            yield from _folder(alias, Path(storage.location))
        elif alias in IN_BUCKETS:
            for finding in look(alias):
                yield _named(alias, finding)
    yield from tried([("temporary files", _temporary)])


def _named(alias: str, finding: Finding) -> Finding:
    return type(finding)(f"{alias}: {finding.name}", finding.level, finding.said, finding.ms, finding.causes)


def _folder(alias: str, folder: Path) -> Iterator[Finding]:
    yield from tried([(alias, lambda: _written(folder)), (f"{alias}: room", lambda: _room(folder))])


def _written(folder: Path) -> str:
    """A file is written, read and deleted, as an upload would be."""
    said = b"Esteira looks whether files can be kept here.\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-") as file:
            file.write(said)
            file.flush()
            os.fsync(file.fileno())
            read = Path(file.name).read_bytes()
    except OSError as exc:
        raise Fault(
            f"No file can be kept in {folder}: {exc.strerror}.",
            causes=(
                "the disk is full, or not mounted",
                "the folder belongs to another user",
                "it is mounted read-only",
            ),
            command=f"df -h {folder}; ls -ld {folder}; id",
        ) from exc
    if read != said:
        raise Fault(
            f"What was written in {folder} is read otherwise.", causes=("the disk is failing",), command="dmesg"
        )
    return f"written, read and deleted in {folder}"


def _temporary() -> str:
    try:
        folder = Path(tempfile.gettempdir())
    except FileNotFoundError as exc:  # so it says of a disk that is full
        raise Fault(
            "No folder takes temporary files.",
            causes=("the disk is full", "it is mounted read-only, and TMPDIR names no other folder"),
            command="df -h /tmp /var/tmp .; printenv TMPDIR",
        ) from exc
    return _room(folder)


def _room(folder: Path) -> str:
    left = shutil.disk_usage(folder).free
    said = f"{left / GIB:.1f} GiB are left in {folder}"
    if left >= LITTLE:
        return said
    raise Fault(
        f"Only {said}.",
        WARNING if left >= TOO_LITTLE else ERROR,
        causes=("results and logs that are kept for long", "uploads that were never finished: they go after 7 days"),
        command=f"du -xh --max-depth=2 {settings.ESTEIRA_HOME} | sort -h | tail",
    )
