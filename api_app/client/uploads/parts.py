"""One part on its way: sent, and sent again, until the platform has it or says never."""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

import httpx

from api_app.client import crc64
from api_app.client.errors import EsteiraError, FileChangedError, StoppedError
from api_app.client.uploads.calls import Calls, Stubborn
from api_app.client.uploads.verdicts import Answer, Verdict, read_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from api_app.client.contract.shapes import Put

FRESH_S: Final = 600
"""A signed address lives for 15 minutes; one that waited longer than this is asked for anew before a byte is sent."""
DIGESTS: Final[dict[str, Callable[[], Any]]] = {
    "sha256": hashlib.sha256,
    "md5": partial(hashlib.md5, usedforsecurity=False),
}
MOST_IN_A_ROW: Final = {Verdict.READ: 3, Verdict.SIGN: 5, Verdict.LOOK: 10}


class Content(Protocol):
    def blocks(self, offset: int, length: int) -> Iterator[bytes]: ...

    def crc(self, offset: int, length: int) -> int: ...


class Meter:
    """Bytes of one thing that went out. Its parts report from several threads, and may go back."""

    def __init__(self, tell: Callable[[str, int], None]) -> None:
        self._tell = tell
        self._lock = threading.Lock()
        self._done: dict[str, int] = Counter()

    def add(self, phase: str, count: int) -> None:
        with self._lock:
            self._done[phase] += count
            self._tell(phase, self._done[phase])


@dataclass(slots=True)
class Part:
    """`is_bound`: the upload was begun with this checksum and takes no other; `is_unsized`: without a size.

    `path` is what people call the source. Offset and length are bytes.
    """

    upload_id: str
    number: int
    offset: int
    length: int
    content: Content
    path: object
    meter: Meter
    is_bound: bool = False
    is_unsized: bool = False
    crc: int = crc64.EMPTY
    is_read: bool = False
    signed: Put | None = None
    signed_at: float = 0

    def read(self) -> None:
        self.crc, self.is_read = self.content.crc(self.offset, self.length), True

    def sign(self, signed: Put) -> None:
        self.signed, self.signed_at = signed, time.monotonic()

    def asked(self, checksums: Sequence[str]) -> dict[str, Any]:
        """What signs it: the checksums that the platform's storage wants of a part."""
        said: dict[str, Any] = {"number": self.number, "crc64nvme": crc64.to_text(self.crc)}
        for name in checksums:
            if name not in said:
                said[name] = self._digest(name)
        return said | {"size": self.length} if self.is_unsized else said

    def _digest(self, name: str) -> str:
        if name not in DIGESTS:
            raise EsteiraError(f"The platform's storage wants {name} of every part, which this client cannot compute.")
        digest = DIGESTS[name]()
        for block in self.content.blocks(self.offset, self.length):
            digest.update(block)
        return base64.b64encode(digest.digest()).decode()


def ranges(text: str | None) -> set[int]:
    """`1-57,60` as numbers."""
    found: set[int] = set()
    for piece in filter(None, (text or "").split(",")):
        first, _, last = piece.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found


class PartSender:
    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def send(self, part: Part) -> None:
        """Returns when the platform has it. Raises UploadEndedError, FileChangedError, or what was refused."""
        patience, seen = Stubborn(self._calls.stopped), Counter[Verdict]()
        while True:
            answer = self._put(part)
            if answer.verdict is Verdict.ARRIVED:
                return
            seen[answer.verdict] += 1
            if answer.verdict is Verdict.WAIT or answer.code == "part_busy":
                seen.clear()
            if answer.verdict is Verdict.NEVER or seen[answer.verdict] > MOST_IN_A_ROW.get(answer.verdict, 1):
                raise _refusal(part, answer)
            if self._prepare(part, answer, patience):
                return

    def _put(self, part: Part) -> Answer:
        signed = self._fresh(part)
        sent = _Counted(self._calls.stopped, part)
        try:
            response = self._calls.lines.send("PUT", signed["url"], signed["headers"], sent)
        except httpx.TransportError as fault:
            sent.take_back()
            return Answer(Verdict.WAIT, told=str(fault) or type(fault).__name__)
        answer = read_answer(response)
        if answer.verdict is not Verdict.ARRIVED:
            sent.take_back()
        return answer

    def _fresh(self, part: Part) -> Put:
        if part.signed is None or time.monotonic() - part.signed_at > FRESH_S:
            (signed,) = self._calls.sign(part.upload_id, [part.asked(self._calls.checksums)])
            part.sign(signed)
            return signed
        return part.signed

    def _prepare(self, part: Part, answer: Answer, patience: Stubborn) -> bool:
        """The next try. True: none is needed, because an answer was lost and the bytes are there."""
        if answer.verdict is Verdict.SIGN:
            part.signed = None
            return False
        if answer.verdict is Verdict.READ:
            self._read_again(part)
            return False
        pause = patience.next_s(answer.wait_s)
        if pause >= 1:
            self._calls.transport.notice(f"{part.path}: part {part.number} has to wait ({answer.told}); trying again …")
        patience.sleep(pause)
        upload = self._calls.open_upload(part.upload_id)
        part.signed = None
        if part.number in ranges(upload["received"]):
            part.meter.add("sending", part.length)
            return True
        return False

    def _read_again(self, part: Part) -> None:
        before = part.crc
        part.read()
        if part.crc == before:
            return
        if part.is_bound:
            raise FileChangedError(part.path)
        part.signed = None


class _Counted:
    """The bytes of a part as the connection takes them."""

    def __init__(self, stopped: threading.Event, part: Part) -> None:
        self._stopped, self._part, self._sent = stopped, part, 0

    def __iter__(self) -> Iterator[bytes]:
        for block in self._part.content.blocks(self._part.offset, self._part.length):
            if self._stopped.is_set():
                raise StoppedError
            yield block
            self._sent += len(block)
            self._part.meter.add("sending", len(block))

    def take_back(self) -> None:
        self._part.meter.add("sending", -self._sent)


def _refusal(part: Part, answer: Answer) -> EsteiraError:
    if answer.verdict is Verdict.READ:
        return FileChangedError(part.path)
    return EsteiraError(f"{part.path} was refused: {answer.told}", code=answer.code or "refused")
