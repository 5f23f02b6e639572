"""What the step left in its outputs folder: found, checked, measured, handed over; hostile until then."""

from __future__ import annotations

import os
import stat
import time

from . import wire
from .names import LONGEST_NAME, clean, media_type, numbered
from .order import PlatformFault
from .protocol import FORBIDDEN, FRESH_S, TOO_MANY, Again, Backoff, Expired, retry_after
from .quick import sha256
from .urls import local_path, split
from .usage import size_in_words
from .work import copy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .order import Limits
    from .protocol import Platform
    from .standing import Standing

BLOCK = 1 << 20
DEEPEST = 64
MANY = 100
AT_ONCE = 1000
PRECONDITION_FAILED = 412
# O_NONBLOCK: opening a fifo would wait for a writer.
OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
}


class Unfit(Exception):
    """The outputs cannot be taken; the message is for the user."""

    def __init__(self, sentence: str, *, resources: bool = False) -> None:
        super().__init__(sentence)
        self.failure_kind = "RESOURCES" if resources else "USER_CODE"


class Output:
    def __init__(self, path: str, name: str, size: int) -> None:
        self.path = path
        self.name = name
        self.size = size
        self.sha256 = ""

    def entry(self) -> dict[str, Any]:
        return {"path": self.name, "size": self.size, "sha256": self.sha256}

    def result(self) -> dict[str, Any]:
        return {**self.entry(), "media_type": media_type(self.name)}


def collect(top: str, limits: Limits, standing: Standing) -> list[Output]:
    """Every output with its digest. Nothing of the step runs any more, so nothing changes under our hands."""
    found = _walk(top, limits)
    names: set[str] = set()
    for output in sorted(found, key=lambda output: os.fsencode(output.name)):
        output.name = _unique(clean(output.name), names)
        if len(output.name) > LONGEST_NAME:
            raise Unfit(f"The output `{output.name[:100]}…` has a name of more than {LONGEST_NAME} characters.")
    total = sum(output.size for output in found)
    if total > limits.output_bytes:
        used, limit = size_in_words(total), size_in_words(limits.output_bytes)
        raise Unfit(f"The outputs have {used}; the limit is {limit}.", resources=True)
    for output in found:
        _measure(output, standing)
    return found


def _unique(name: str, names: set[str]) -> str:
    number, wanted = 1, name
    while name in names:
        number += 1
        name = numbered(wanted, number)
    names.add(name)
    return name


def _walk(top: str, limits: Limits) -> list[Output]:
    found: list[Output] = []
    if os.path.islink(top):
        raise Unfit("The outputs folder itself is a symbolic link.")
    todo = [(top, "")]
    while todo:
        folder, prefix = todo.pop()
        try:
            entries = os.scandir(folder)
        except OSError as wrong:
            name = "outputs/" + (prefix and clean(prefix))
            raise Unfit(f"The folder `{name}` cannot be read: {wrong.strerror}.") from wrong
        with entries:
            for entry in entries:
                name = prefix + entry.name
                info = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(info.st_mode):
                    if name.count("/") > DEEPEST:
                        raise Unfit(f"The outputs have folders more than {DEEPEST} levels deep.")
                    todo.append((entry.path, name + "/"))
                    continue
                _regular(info, name)
                found.append(Output(entry.path, name, info.st_size))
                if len(found) > limits.output_files:
                    sentence = f"The outputs have more than {limits.output_files} files, which is the limit."
                    raise Unfit(sentence, resources=True)
    return found


def _regular(info: os.stat_result, name: str) -> None:
    if not stat.S_ISREG(info.st_mode):
        kind = KINDS.get(stat.S_IFMT(info.st_mode), "no file")
        raise Unfit(f"The output `{clean(name)[:200]}` is {kind}; outputs must be regular files.")


def _open(output: Output) -> int:
    try:
        fd = os.open(output.path, OPEN)
    except OSError as wrong:
        raise Unfit(f"The output `{output.name[:200]}` cannot be read: {wrong.strerror}.") from wrong
    _regular(os.fstat(fd), output.name)
    return fd


def _measure(output: Output, standing: Standing) -> None:
    fd = _open(output)
    try:
        digest = sha256(output.size)
        size = 0
        while block := os.read(fd, BLOCK):
            digest.update(block)
            size += len(block)
            standing.alive()
        output.size, output.sha256 = size, digest.hexdigest()
    finally:
        os.close(fd)


class Handover:
    """Brings measured outputs to the places that the platform names for them."""

    def __init__(self, platform: Platform, standing: Standing) -> None:
        self._platform = platform
        self._standing = standing
        self._folders: set[str] = set()

    def all(self, outputs: list[Output]) -> None:
        if len(outputs) > MANY:
            os.sync()  # one flush for all of them; each one's own fsync then finds nothing left to do
        for start in range(0, len(outputs), AT_ONCE):
            batch = outputs[start : start + AT_ONCE]
            slots = self._slots(batch, start)
            for number, output in enumerate(batch, start):
                self._place(output, slots[output.name], number)
        for folder in self._folders:
            flush(folder)

    def _slots(self, batch: list[Output], first: int) -> dict[str, Any]:
        """By name. `first`: which place of all the outputs this batch starts at, so that no two share a slot."""
        body = {"first": first, "files": [output.entry() for output in batch]}
        answer = self._platform.call("outputs", body, self._standing.pause)
        slots = {slot["path"]: slot for slot in answer.get("slots", [])}
        if any(output.name not in slots for output in batch):
            raise PlatformFault("The platform has no place for an output.")
        return slots

    def _place(self, output: Output, slot: dict[str, Any], number: int) -> None:
        self._standing.alive()
        if slot["method"] == "LINK":
            try:
                self._link(output, local_path(slot["url"]))
            except OSError as wrong:
                raise PlatformFault(f"The storage does not take an output: {wrong.strerror}.") from wrong
        elif slot["method"] == "PUT":
            self._put(output, slot, number)
        else:
            raise PlatformFault("The platform has a place of an unknown kind for an output.")

    def _link(self, output: Output, place: str) -> None:
        try:
            if os.lstat(place).st_size == output.size:
                return
        except FileNotFoundError:
            pass
        folder = os.path.dirname(place)
        os.makedirs(folder, exist_ok=True)
        self._folders.add(folder)
        fd = _open(output)
        try:
            # A file with a second name may be changed through that one later, so it is copied.
            shared = os.fstat(fd).st_nlink > 1
            if not shared:
                os.fchmod(fd, 0o444)
                os.fsync(fd)
        finally:
            os.close(fd)
        if not shared:
            try:
                os.link(output.path, place, follow_symlinks=False)
            except OSError:  # another file system, or something incomplete is there: the copy replaces it
                pass
            else:
                return
        self._copy(output.path, place)

    def _copy(self, path: str, place: str) -> None:
        part = f"{place}.part-{os.getpid()}"
        try:
            copy(path, part, self._standing.alive)
            os.chmod(part, 0o444)
            flush(part)
            os.replace(part, place)
        except BaseException:
            if os.path.lexists(part):
                os.unlink(part)
            raise

    def _put(self, output: Output, slot: dict[str, Any], number: int) -> None:
        backoff, since = Backoff(self._platform.patience_s), float("-inf")
        while True:
            try:
                return self._put_once(output, slot)
            except Expired as refused:
                # A batch takes longer to send than its URLs live; one that is fresh is refused for another reason.
                if time.monotonic() - since < FRESH_S:
                    raise PlatformFault(f"The storage refused an output: {refused}.") from refused
                slot, since = self._slots([output], number)[output.name], time.monotonic()
            except Again as reason:
                self._standing.pause(backoff.again(reason))
                self._standing.alive()

    def _put_once(self, output: Output, slot: dict[str, Any]) -> None:
        url, headers = slot["url"], slot.get("headers") or {}
        fd = _open(output)
        try:
            connection = wire.connect(url)
            body = wire.FileBody(fd, output.size, self._standing.alive)
            answer = connection.exchange("PUT", split(url)[3], headers, body)
            connection.close()
        except wire.Broken as broken:
            raise Again(str(broken)) from broken
        except ValueError as wrong:
            raise PlatformFault(f"The platform has an unusable URL for an output: {wrong}.") from wrong
        finally:
            os.close(fd)
        if answer.status == TOO_MANY or answer.status >= 500:  # noqa: PLR2004
            raise Again(f"storage: {answer.status}", retry_after(answer.headers))
        if answer.status == FORBIDDEN:
            raise Expired(str(answer.status))
        # 412: the place is filled already, by our own earlier try; nobody else knows it.
        if answer.status // 100 != 2 and answer.status != PRECONDITION_FAILED:  # noqa: PLR2004
            raise PlatformFault(f"The storage refused an output: {answer.status}.")


def flush(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
