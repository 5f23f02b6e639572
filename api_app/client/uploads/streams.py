"""What can be read only once, such as standard input: each part is held in memory until the platform has it."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from api_app.client import crc64
from api_app.client.errors import EsteiraError, LocalFileError, RequestError
from api_app.client.progress import CHUNK
from api_app.client.uploads.calls import file_of, new_key
from api_app.client.uploads.outgoing import Outcome, Outgoing, Stream
from api_app.client.uploads.parts import Part

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from concurrent.futures import Future

    from api_app.client.contract.shapes import Config, File, Upload
    from api_app.client.uploads.crew import Crew

PART: Final = 16 << 20
HELD: Final = 3
"""Parts in memory: one is filled while the others are sent."""


@dataclass(frozen=True, slots=True)
class Held:
    data: bytearray

    def blocks(self, _offset: int, _length: int) -> Iterator[bytes]:
        return (bytes(self.data[at : at + CHUNK]) for at in range(0, len(self.data), CHUNK))

    def crc(self, _offset: int, _length: int) -> int:
        return crc64.update(self.data)


def pieces(stream: Stream) -> Iterator[bytearray]:
    """Of exactly PART bytes, but for the last; at least one, be it empty."""
    held = bytearray()
    for chunk in _chunks(stream):
        rest = memoryview(chunk)
        while len(held) + len(rest) > PART:
            room = PART - len(held)
            yield held + rest[:room]
            held, rest = bytearray(), rest[room:]
        held += rest
    yield held


def _chunks(stream: Stream) -> Iterable[bytes]:
    read = getattr(stream, "read", None)
    return stream if read is None else iter(lambda: cast("bytes", read(CHUNK)), b"")


def send_stream(crew: Crew, item: Outgoing, config: Config) -> Outcome:
    crew.watch.began(item, None)
    try:
        return crew.ended(Outcome(item, _Stream(crew, item, config).send()))
    except EsteiraError as fault:
        return crew.failed(item, fault)


class _Stream:
    def __init__(self, crew: Crew, item: Outgoing, config: Config) -> None:
        self._crew, self._item, self._most = crew, item, config["max_parts"]
        self._name = item.checked_name()
        self._meter = crew.meter(item)
        self._room = threading.BoundedSemaphore(HELD - 1)
        self._sending: list[Future[None]] = []
        self._sent: list[tuple[int, int]] = []

    def send(self) -> File:
        left = self._read()
        first = next(left)
        upload = self._begin(first)
        if upload["state"] == "open":
            upload = self._until_whole(upload, itertools.chain([first], left))
        return file_of(self._crew.calls.settled(upload), self._name)

    def _until_whole(self, upload: Upload, data: Iterable[bytearray]) -> Upload:
        try:
            for number, piece in enumerate(data, 1):
                self._send(upload, number, piece)
            for sending in self._sending:
                sending.result()
            size, crc = sum(size for _, size in self._sent), crc64.combine(self._sent)
            return self._crew.calls.complete(upload["id"], {"crc64nvme": crc64.to_text(crc), "size": size})
        except BaseException:
            # Nobody can go on with it: what was read is gone.
            self._crew.calls.abort(upload["id"])
            raise

    def _read(self) -> Iterator[bytearray]:
        if isinstance(self._item.source, Path):
            raise TypeError(self._item.source)
        try:
            yield from pieces(self._item.source)
        except OSError as fault:
            raise LocalFileError(f"Cannot read {self._name} ({fault.strerror or fault}).") from fault

    def _begin(self, data: bytearray) -> Upload:
        wanted: dict[str, Any] = {"name": self._name, "path": self._item.path, "size": None, "part_size_hint": PART}
        if len(data) < PART:  # that was all of it
            wanted["size"] = len(data)
        return self._crew.calls.create(wanted, key=new_key())

    def _send(self, upload: Upload, number: int, data: bytearray) -> None:
        if number > self._most:
            raise RequestError(f"{self._name} is longer than {self._most:,} parts; save it to a file and send that.")
        part = Part(upload["id"], number, 0, len(data), Held(data), self._name, self._meter)
        part.is_unsized = upload["size"] is None
        part.read()
        self._sent.append((part.crc, part.length))
        self._room.acquire()
        for failed in [one for one in self._sending if one.done()]:
            self._sending.remove(failed)
            failed.result()
        sending = self._crew.send(part)
        self._sending.append(sending)
        sending.add_done_callback(lambda _: self._room.release())
