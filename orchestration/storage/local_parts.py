"""Uploads on their way into a local folder: `incoming/<upload>.part`, until it is linked to its key.

Two ways in. A part of many is written at its final offset under an OFD lock of exactly its bytes, which holds between
threads and between processes and ends with the descriptor. A whole file that comes in pieces is written under a name
of its own and renamed when it is known to be right; one that was held in memory, and is right, is written at once.
Either way a name with all of its bytes is the proof.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestration.errors import PartBusy
from orchestration.ids import new_id
from orchestration.points import point
from orchestration.storage.local import full_disk_named, make_folder, sync_folder, write_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    from orchestration.storage.local import LocalStorage

# struct flock: l_type, l_whence, l_start, l_len, l_pid (0: Linux asks for that in OFD locks).
_FLOCK: Final = "hhqqi4x"
_BUSY: Final = frozenset({errno.EAGAIN, errno.EACCES})
_NO_COPY: Final = frozenset({errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})
"""Some file systems cannot copy from file to file by themselves."""
_libc: Final = ctypes.CDLL(None, use_errno=True)
LOCK_TRIES: Final = 50
LOCK_PAUSE_S: Final = 0.02
SEALED: Final = 0o444
WHOLE: Final = 0
"""As a length: to the end, wherever that is."""


def _lock(fd: int, offset: int, length: int, kind: int = fcntl.F_WRLCK) -> None:
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, struct.pack(_FLOCK, kind, os.SEEK_SET, offset, length, 0))
    except OSError as exc:
        if exc.errno in _BUSY:
            raise PartBusy from exc
        raise


def _lock_soon(fd: int, kind: int) -> None:
    """All of it. Who has just made the last part count lets go in a moment."""
    for _ in range(LOCK_TRIES):
        with suppress(PartBusy):
            return _lock(fd, 0, WHOLE, kind)
        time.sleep(LOCK_PAUSE_S)
    return _lock(fd, 0, WHOLE, kind)


def _open_to_finish(path: Path) -> tuple[int, int]:
    """The descriptor and the kind of lock that keeps every writer out."""
    try:
        return os.open(path, os.O_RDWR), fcntl.F_WRLCK
    except PermissionError:
        # Sealed by an earlier try that was killed: nobody can begin to write, and who still writes holds a lock.
        return os.open(path, os.O_RDONLY), fcntl.F_RDLCK


def _sync_file_system(fd: int) -> None:
    """Everything on the file system of `fd`, with errors of writing back reported (Linux ≥ 5.8): one for many files."""
    if _libc.syncfs(fd):
        raise OSError(ctypes.get_errno(), "syncfs")


def _link(part: str, target: str) -> None:
    """Raises FileNotFoundError where there are no bytes."""
    try:
        os.link(part, target)
    except FileExistsError:
        # An earlier try's, durable before its own name went. What has that name now came after, and goes.
        return
    except FileNotFoundError:
        # Somebody else finished it while this one waited for the lock.
        os.stat(target)


def _copy(source: int, target: int, size: int) -> None:
    """At the end of `target`, inside of the kernel. Where the file system can share blocks, nothing is copied."""
    done = 0
    while done < size:
        try:
            copied = os.copy_file_range(source, target, size - done, done)
        except OSError as exc:
            if exc.errno not in _NO_COPY:
                raise
            copied = os.sendfile(target, source, done, size - done)
        if not copied:
            raise OSError(errno.EIO, "a partial upload is shorter than its offset")
        done += copied


class LocalParts:
    def __init__(self, storage: LocalStorage) -> None:
        self._storage = storage
        self._folder = storage.top / "incoming"
        self._incoming = str(self._folder)

    def path(self, upload: UUID) -> Path:
        return Path(self._name(upload))

    def _name(self, upload: UUID) -> str:
        return f"{self._incoming}/{upload}.part"

    def open_part(self, upload: UUID, offset: int, length: int) -> int:
        """A descriptor that holds the lock of these bytes until it is closed. Raises PartBusy, StorageFull."""
        with full_disk_named():
            self._make_room(length)
            try:
                fd = os.open(self.path(upload), os.O_RDWR | os.O_CREAT, 0o600)
            except PermissionError as exc:
                raise PartBusy("The upload is being completed.") from exc
        try:
            _lock(fd, offset, length)
        except BaseException:
            os.close(fd)
            raise
        return fd

    @contextmanager
    def whole(self, upload: UUID, length: int) -> Iterator[int]:
        """A descriptor for all the bytes; they count when the block ends without an exception."""
        own = self._folder / f"{upload}.{new_id().hex}.part"
        with full_disk_named():
            self._make_room(length)
            fd = os.open(own, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                yield fd
                own.rename(self.path(upload))
            except BaseException:
                own.unlink(missing_ok=True)
                raise
            finally:
                os.close(fd)

    def put_whole(self, upload: UUID, data: bytes) -> None:
        """All the bytes in one write under the upload's own name. Only a name with all of its bytes is proof."""
        with full_disk_named():
            try:
                fd = self._fresh(self._name(upload))
            except FileExistsError:
                self._replace(upload, data)
                return
            try:
                write_at(fd, data, 0)
            except BaseException:
                # Not unlinked: the name may be another's by now.
                os.ftruncate(fd, 0)
                raise
            finally:
                os.close(fd)

    def _fresh(self, name: str) -> int:
        try:
            return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileNotFoundError:
            make_folder(self._folder, top=self._storage.top)
            return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)

    def _replace(self, upload: UUID, data: bytes) -> None:
        """What an earlier request left there, whole or not."""
        with self.whole(upload, len(data)) as fd:
            write_at(fd, data, 0)

    def join(self, upload: UUID, pieces: Sequence[tuple[UUID, int]]) -> None:
        """The first bytes of each of `pieces`, as many as it says, one after the other become all of `upload`."""
        with self.whole(upload, sum(size for _, size in pieces)) as target:
            for piece, size in pieces:
                if size:
                    with self.path(piece).open("rb") as source:
                        _copy(source.fileno(), target, size)

    def _make_room(self, length: int) -> None:
        make_folder(self._folder, top=self._storage.top)
        if length > self.free_bytes():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def free_bytes(self) -> int:
        """Room for more; of the nearest folder that exists."""
        folder = self._storage.top
        while not folder.is_dir():
            folder = folder.parent
        found = os.statvfs(folder)
        return found.f_bavail * found.f_frsize

    def is_begun(self, upload: UUID) -> bool:
        return self.path(upload).exists()

    def size(self, upload: UUID) -> int | None:
        try:
            return os.stat(self._name(upload)).st_size
        except FileNotFoundError:
            return None

    def head(self, upload: UUID, most: int) -> bytes:
        with self.path(upload).open("rb") as file:
            return file.read(most)

    def finish(self, upload: UUID, key: str) -> None:
        """Durable under `key`, whatever an earlier try left. Raises PartBusy, FileNotFoundError, StorageFull."""
        target = self._storage.path(key)
        with full_disk_named():
            try:
                fd, lock = _open_to_finish(self.path(upload))
            except FileNotFoundError:
                if target.exists():
                    sync_folder(target.parent)
                    return
                raise
            try:
                _lock_soon(fd, lock)
                point("storage.before_fsync")
                self._seal(fd)
                os.fdatasync(fd)
                point("storage.before_link")
                make_folder(target.parent, top=self._storage.top)
                _link(self._name(upload), str(target))
            finally:
                os.close(fd)
            point("storage.before_folder_fsync")
            sync_folder(target.parent)
            self.path(upload).unlink(missing_ok=True)
        point("storage.committed")

    def finish_many(self, uploads: Sequence[tuple[UUID, str]]) -> None:
        """As `finish`, for whole files, with one sync for all of them."""
        if not uploads:
            return
        names = [(self._name(upload), self._storage.name(key)) for upload, key in uploads]
        with full_disk_named():
            for folder in {target.rpartition("/")[0] for _, target in names}:
                make_folder(Path(folder), top=self._storage.top)
            for part, target in names:
                with suppress(FileNotFoundError):
                    os.chmod(part, SEALED)
                _link(part, target)
            point("storage.before_fsync")
            fd = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                _sync_file_system(fd)
            finally:
                os.close(fd)
            for part, _ in names:
                with suppress(FileNotFoundError):
                    os.unlink(part)
        point("storage.committed")

    @staticmethod
    def _seal(fd: int) -> None:
        # Nobody writes to it again, and only then may a runner hard-link it instead of copying.
        os.fchmod(fd, SEALED)

    def drop(self, upload: UUID) -> None:
        self.path(upload).unlink(missing_ok=True)
