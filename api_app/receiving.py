"""A request's body into a file: exact bytes at an offset, with their checksum."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import ClientDisconnect

from api_app.database import in_pours, to_the_end
from orchestration import crc64
from orchestration.errors import WrongLength
from orchestration.storage.local import write_at

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Buffer, Callable

    from starlette.types import Receive, Scope

BATCH: Final = 1 << 20
# What our own server offers for bodies that can be taken straight from the socket (project/receive/protocol.py).
EXTENSION: Final = "esteira.receive"


@dataclass(slots=True)
class Landing:
    """Bytes one after the other to `fd`, from `offset` on."""

    fd: int
    offset: int
    size: int = 0
    crc64nvme: int = crc64.EMPTY

    def write(self, data: Buffer) -> None:
        view = memoryview(data)
        self.crc64nvme = crc64.update(view, self.crc64nvme)
        write_at(self.fd, view, self.offset + self.size)
        self.size += len(view)


async def land(scope: Scope, receive: Receive, fd: int, offset: int, length: int) -> Landing:
    """Write the body to `fd` from `offset` on. Raises WrongLength, ClientDisconnect, OSError."""
    landing = Landing(fd, offset)
    await pass_on(scope, receive, length, landing.write)
    return landing


async def pass_on(scope: Scope, receive: Receive, length: int, write: Callable[[Buffer], None]) -> None:
    """The body to `write`, piece by piece, in threads. Raises WrongLength, ClientDisconnect and what `write` does."""
    pour = pour_of(scope, length)
    await (pour(write, in_pours) if pour else written(_pieces(receive, length), write))


def pour_of(scope: Scope, length: int | None = None) -> Callable[..., Awaitable[None]] | None:
    """`pour(write, in_thread)` hands the whole body to `write` in threads; None where it has to be received."""
    offered: dict[str, Any] = (scope.get("extensions") or {}).get(EXTENSION, {})
    fits = length is None or offered.get("length") == length
    return offered.get("pour") if fits else None


async def held(receive: Receive, length: int) -> bytes:
    """A short body, whole. Raises WrongLength, ClientDisconnect."""
    return b"".join([piece async for piece in _pieces(receive, length)])


async def written(pieces: AsyncIterator[bytes], write: Callable[[bytes], object]) -> None:
    """While one batch is written the next one is read, and no more than that: memory stays flat."""
    batch: list[bytes] = []
    held = 0
    writing: asyncio.Task[object] | None = None
    try:
        async for piece in pieces:
            batch.append(piece)
            held += len(piece)
            if held >= BATCH:
                if writing is not None:
                    await writing
                writing = asyncio.ensure_future(in_pours(write, b"".join(batch)))
                batch, held = [], 0
        if writing is not None:
            await writing
        if held:
            await in_pours(write, b"".join(batch))
    finally:
        if writing is not None:
            await to_the_end(writing)


async def _pieces(receive: Receive, length: int) -> AsyncIterator[bytes]:
    done, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        piece = message.get("body", b"")
        more = message.get("more_body", False)
        done += len(piece)
        if done > length:
            raise WrongLength(f"More than the {length} bytes announced arrived.")
        yield piece
    if done != length:
        raise WrongLength(f"Only {done} of {length} bytes arrived.")


async def drain(receive: Receive) -> None:
    """Take in a body that is not needed, so that the client reads its answer."""
    while (message := await receive())["type"] == "http.request" and message.get("more_body", False):
        pass
