"""The folders of an attempt: made, filled with inputs, code, parameters and index, and opened at the end."""

from __future__ import annotations

import os
import stat
import time

from . import wire
from .order import INDEX, Order, PlatformFault, Source
from .protocol import FORBIDDEN, FRESH_S, TOO_MANY, Again, Backoff, Expired, retry_after
from .quick import dumps, sha256
from .urls import local_path, split

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .standing import Standing

BLOCK = 1 << 20
FICLONE = 0x40049409
WRITABLE = 0o222
SEALED = 0o555


class Folders:
    """The layout under --work."""

    def __init__(self, root: str) -> None:
        self.root = os.path.realpath(root)
        os.makedirs(self.root, mode=0o700, exist_ok=True)
        self.inputs = os.path.join(self.root, "inputs")
        self.outputs = os.path.join(self.root, "outputs")
        self.scratch = os.path.join(self.root, "scratch")
        self.tmp = os.path.join(self.root, "tmp")
        self.code = os.path.join(self.root, "code")
        self.params = os.path.join(self.root, "params.json")
        self.log = os.path.join(self.root, "log")
        self.exit = os.path.join(self.root, "exit.json")
        self._sealed: list[str] = []

    def make(self) -> None:
        for path in (self.inputs, self.outputs, self.scratch, self.code):
            fresh(path)

    def seal(self, top: str) -> None:
        """Read-only folders, so that the step adds nothing. Never the files: their inodes may be shared."""
        folders = [top]
        for folder in folders:
            with os.scandir(folder) as entries:
                folders += [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
        for folder in folders:
            os.chmod(folder, SEALED)
        self._sealed += folders

    def forget_exit(self) -> None:
        """How an earlier runner ended says nothing about this one."""
        for path in (self.exit, self.exit + ".tmp"):
            try:
                os.unlink(path)
            except FileNotFoundError:
                continue

    def unseal(self) -> None:
        """Whoever removes the attempt's folder needs no tricks for it."""
        for folder in self._sealed:
            try:
                fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            except OSError:
                continue  # the step has put something else there
            os.fchmod(fd, 0o700)
            os.close(fd)
        self._sealed = []


def fresh(path: str) -> None:
    """An empty folder, also when an earlier runner of the same attempt has left one."""
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        import shutil  # noqa: PLC0415

        for folder, _, _ in os.walk(path):
            os.chmod(folder, 0o700)
        shutil.rmtree(path)
        os.mkdir(path, 0o700)


class Fetch:
    """Brings files from where the work order says they are."""

    def __init__(self, standing: Standing, patience_s: float, *, may_link: bool, renew: Callable[[], None]) -> None:
        self._standing = standing
        self._patience_s = patience_s
        self._may_link = may_link
        self._renew = renew

    def inputs(self, order: Order, folders: Folders) -> None:
        for source in order.inputs:
            target = os.path.join(folders.inputs, source.path)
            if "/" in source.path:
                os.makedirs(os.path.dirname(target), exist_ok=True)
            self._standing.alive()
            self.file(source, target)
        index = {"files": [source.index for source in order.inputs], "failed_items": order.failed_items}
        write(os.path.join(folders.inputs, INDEX), dumps(index))
        write(folders.params, dumps(order.params))

    def file(self, source: Source, target: str) -> None:
        """The bytes of `source` at `target`: linked, cloned, copied or downloaded."""
        try:
            if source.url.startswith("file:"):
                self._local(source, local_path(source.url), target)
            else:
                self._download(source, target)
        except OSError as wrong:
            raise PlatformFault(f"An input cannot be read: {wrong.strerror or wrong}.") from wrong

    def bytes(self, source: Source, target: str) -> bytes:
        """The checked bytes of the code bundle."""
        if source.url.startswith("file:"):
            path = local_path(source.url)
        else:
            self._download(source, target)
            path = target
        try:
            with open(path, "rb", buffering=0) as bundle:
                data = bundle.read(source.size + 1)
        except OSError as wrong:
            raise PlatformFault(f"The code cannot be read: {wrong.strerror}.") from wrong
        digest = sha256(len(data))
        digest.update(data)
        if len(data) != source.size or digest.hexdigest() != source.sha256:
            raise PlatformFault("The code is not the code of the work order: its size or digest differs.")
        return data

    def _local(self, source: Source, path: str, target: str) -> None:
        info = os.stat(path)
        if not stat.S_ISREG(info.st_mode) or info.st_size != source.size:
            raise PlatformFault("A stored input is not the file of the work order: its size differs.")
        # A step that writes into a linked input would change the stored file. In the sandbox the folder is
        # mounted read-only; outside it only the file's own mode stands in between.
        may_link = self._may_link or not info.st_mode & WRITABLE
        if not (may_link and linked(path, target)):
            copy(path, target, self._standing.alive)
            os.chmod(target, 0o444)
        self._check(source, target)

    def _check(self, source: Source, target: str) -> None:
        """A disk may change a byte long after the file was looked at: better no result than a wrong one."""
        digest = sha256(source.size)
        with open(target, "rb", buffering=0) as file:
            while block := file.read(BLOCK):
                digest.update(block)
                self._standing.alive()
        if digest.hexdigest() != source.sha256:
            raise _differs(target, "digest")

    def _download(self, source: Source, target: str) -> None:
        backoff, since = Backoff(self._patience_s), float("-inf")
        while True:
            try:
                return self._get(source, target)
            except Expired as refused:
                # Many inputs take longer to fetch than their URLs live; a fresh one is refused for another reason.
                if time.monotonic() - since < FRESH_S:
                    raise PlatformFault(f"The storage refused an input: {refused}.") from refused
                self._renew()
                since = time.monotonic()
            except Again as reason:
                self._standing.pause(backoff.again(reason))
                self._standing.alive()

    def _get(self, source: Source, target: str) -> None:
        digest = sha256(source.size)
        total = 0
        with open(target, "wb", buffering=0) as file:

            def sink(block: bytes) -> None:
                nonlocal total
                total += len(block)
                if total > source.size:
                    raise PlatformFault("A stored input is longer than the work order says.")
                digest.update(block)
                keep(file.fileno(), block)
                self._standing.alive()

            try:
                connection = wire.connect(source.url)
                answer = connection.exchange("GET", split(source.url)[3], {}, b"", sink)
                connection.close()
            except wire.Broken as broken:
                raise Again(str(broken)) from broken
            except ValueError as wrong:
                raise PlatformFault(f"The work order has an unusable URL: {wrong}.") from wrong
        if answer.status == TOO_MANY or answer.status >= 500:  # noqa: PLR2004
            raise Again(f"storage: {answer.status}", retry_after(answer.headers))
        if answer.status == FORBIDDEN:
            raise Expired(str(answer.status))
        if answer.status != wire.OK:
            raise PlatformFault(f"The storage refused an input: {answer.status}.")
        if total != source.size:
            raise _differs(target, "size")
        if digest.hexdigest() != source.sha256:
            raise _differs(target, "digest")
        os.chmod(target, 0o444)


def _differs(target: str, what: str) -> PlatformFault:
    name = os.path.basename(target)
    return PlatformFault(f"The stored bytes of {name} are not those of the work order: their {what} differs.")


def linked(path: str, target: str) -> bool:
    try:
        os.link(path, target)
    except OSError:  # another file system, too many links, not ours: a copy does as well
        return False
    return True


def copy(path: str, target: str, alive: Callable[[], None]) -> None:
    """A copy that shares blocks where the file system can, into a file that is not there yet."""
    with open(path, "rb", buffering=0) as source, open(target, "xb", buffering=0) as copied:
        if _clone(copied.fileno(), source.fileno()):
            return
        while block := source.read(BLOCK):
            keep(copied.fileno(), block)
            alive()


def _clone(target: int, source: int) -> bool:
    import fcntl  # noqa: PLC0415

    try:
        fcntl.ioctl(target, FICLONE, source)
    except OSError:
        return False
    return True


def keep(fd: int, data: bytes) -> None:
    """Writes all of it; a full disk is nobody's reason to ask the network again."""
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(fd, view) :]
    except OSError as wrong:
        raise PlatformFault(f"The runner's disk does not take the files: {wrong.strerror}.") from wrong


def write(path: str, data: bytes) -> None:
    if os.path.lexists(path):
        os.unlink(path)  # one of an earlier runner is read-only, also for us
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444)
    try:
        keep(fd, data)
    finally:
        os.close(fd)


def replace(path: str, data: bytes) -> None:
    """The whole file or none of it, whenever the machine stops."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(path + ".tmp", flags, 0o644)
    try:
        os.write(fd, data)
        os.fsync(fd)
    finally:
        os.close(fd)
    os.replace(path + ".tmp", path)
