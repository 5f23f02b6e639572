"""A request's body into a file: exact bytes at an offset, with their checksum."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from starlette.requests import ClientDisconnect

from api_app.database import in_files
from orchestration import crc64
from orchestration.errors import WrongLength

if TYPE_CHECKING:
    from starlette.types import Receive, Scope

BATCH: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Landed:
    """`size` in bytes."""

    size: int
    crc64nvme: int


async def land(_scope: Scope, receive: Receive, fd: int, offset: int, length: int) -> Landed:
    """Write the body to `fd` from `offset` on. Raises WrongLength, ClientDisconnect, OSError."""
    held, crc, done, more = bytearray(), crc64.EMPTY, 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        held += message.get("body", b"")
        more = message.get("more_body", False)
        if done + len(held) > length:
            raise WrongLength(f"More than the {length} bytes announced arrived.")
        if held and (len(held) >= BATCH or not more):
            crc = await in_files(_write, fd, bytes(held), offset + done, crc)
            done += len(held)
            held.clear()
    if done != length:
        raise WrongLength(f"Only {done} of {length} bytes arrived.")
    return Landed(done, crc)


def _write(fd: int, data: bytes, offset: int, crc: int) -> int:
    view = memoryview(data)
    while view:
        written = os.pwrite(fd, view, offset)
        view, offset = view[written:], offset + written
    return crc64.update(data, crc)


async def drain(receive: Receive) -> None:
    """Take in a body that is not needed, so that the client reads its answer."""
    while (message := await receive())["type"] == "http.request" and message.get("more_body", False):
        pass
