"""Files in a folder of this machine, behind a django-storages alias that names the folder."""

from __future__ import annotations

import errno
import os
import re
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from orchestration.errors import StorageFull
from orchestration.ids import new_id
from orchestration.points import point
from orchestration.storage.base import Slot

if TYPE_CHECKING:
    from collections.abc import Buffer, Iterator
    from datetime import timedelta

_KEY: Final = re.compile(r"[0-9a-f/-]+([.]part-[0-9]+)?|incoming/[0-9a-f.-]+[.]part|audit/anchors/[0-9]+[.]json")
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


@contextmanager
def full_disk_named() -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        if exc.errno in _FULL:
            raise StorageFull from exc
        raise


def write_at(fd: int, data: Buffer, offset: int) -> None:
    """All of it: one call may write less than it was given."""
    view = memoryview(data)
    while view:
        written = os.pwrite(fd, view, offset)
        view, offset = view[written:], offset + written


def sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make_folder(folder: Path, *, top: Path) -> None:
    """Create `folder` and its parents below `top` durably: a name that is not synced can vanish."""
    if folder.is_dir():
        return
    if folder != top:
        make_folder(folder.parent, top=top)
    folder.mkdir(mode=0o750, parents=folder == top, exist_ok=True)
    sync_folder(folder.parent)


class LocalIncoming:
    """`.part` file, fsync, link without overwrite, fsync of the folder: in that order (SEC-053)."""

    def __init__(self, target: Path, top: Path) -> None:
        self._target = target
        self._part = top / "incoming" / f"{new_id()}.part"
        with full_disk_named():
            make_folder(self._part.parent, top=top)
            make_folder(target.parent, top=top)
            self._fd = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)

    def write(self, data: bytes | memoryview) -> None:
        view = memoryview(data)
        with full_disk_named():
            while view:
                view = view[os.write(self._fd, view) :]

    def commit(self) -> None:
        point("storage.before_fsync")
        with full_disk_named():
            # Nobody writes to it again, and only then may a runner hard-link it instead of copying.
            os.fchmod(self._fd, 0o444)
            os.fsync(self._fd)
            os.close(self._fd)
            self._fd = -1
            point("storage.before_link")
            os.link(self._part, self._target)
            point("storage.before_folder_fsync")
            sync_folder(self._target.parent)
            self._part.unlink()
        point("storage.committed")

    def discard(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self._part.unlink(missing_ok=True)


class LocalStorage:
    def __init__(self, top: Path) -> None:
        self.top = top
        self._top = str(top)

    def path(self, key: str) -> Path:
        """Keys are made by us; whatever else comes here is a bug or an attack."""
        return Path(self.name(key))

    def name(self, key: str) -> str:
        """The path as text: of a thousand files, making a Path takes longer than what is done with it."""
        if not _KEY.fullmatch(key):
            raise ValueError(f"not a storage key: {key!r}")
        return f"{self._top}/{key}"

    def receive(self, key: str) -> LocalIncoming:
        return LocalIncoming(self.path(key), self.top)

    def open(self, key: str, version: str = "") -> BinaryIO:  # noqa: ARG002  one object a key here
        return self.path(key).open("rb")

    def head(self, key: str, most: int) -> bytes:
        """The first bytes of an object."""
        fd = os.open(self.name(key), os.O_RDONLY)
        try:
            return os.read(fd, most)
        finally:
            os.close(fd)

    def size(self, key: str) -> int | None:
        try:
            return os.stat(self.name(key)).st_size
        except FileNotFoundError:
            return None

    def append(self, key: str, offset: int, data: bytes) -> int:
        path = self.path(key)
        with full_disk_named():
            make_folder(path.parent, top=self.top)
            fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.pwrite(fd, data, offset)
                return os.fstat(fd).st_size
            finally:
                os.close(fd)

    def read_url(self, key: str, version: str = "") -> str:  # noqa: ARG002  one object a key here
        return self.path(key).as_uri()

    def slot(self, key: str, *, size: int, sha256: str) -> Slot:  # noqa: ARG002  the runner links what it measured
        path = self.path(key)
        with full_disk_named():
            make_folder(path.parent, top=self.top)
        return Slot(url=path.as_uri(), method="LINK", headers={})

    def delete(self, key: str) -> None:
        with suppress(FileNotFoundError):
            self.path(key).unlink()

    def incoming_older_than(self, age: timedelta) -> Iterator[str]:
        """Of `keys_older_than`, those of transfers that have not been completed."""
        return self._keys(self.top / "incoming", age)

    def keys_older_than(self, age: timedelta) -> Iterator[str]:
        return self._keys(self.top, age)

    def _keys(self, top: Path, age: timedelta) -> Iterator[str]:
        limit = time.time() - age.total_seconds()
        for folder, _, names in os.walk(top):
            for name in names:
                path = Path(folder, name)
                with suppress(FileNotFoundError):
                    # When it came to lie here: a linked output keeps the time that its step gave it.
                    if path.stat().st_ctime < limit:
                        yield str(path.relative_to(self.top))
