"""A body at the end of an upload, and who may write there: a new request ends the one in flight."""

from __future__ import annotations

import asyncio
import hmac
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol
from uuid import UUID

from starlette.requests import ClientDisconnect, Request

from api_app.callers import Sender, sender
from api_app.database import in_db, in_files, in_pours
from api_app.flights import Flights, settled
from api_app.gate import credential
from api_app.receiving import pour_of
from orchestration.errors import PartBusy, PartDamaged
from orchestration.services.uploads.stream import Append, begin_append

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestration.models import Upload
    from orchestration.states import UploadDoor

BATCH: Final = 1 << 20
_flights: Final = Flights[UUID]()


class SumDiffers(PartDamaged):
    """The bytes that arrived do not have the checksum that was sent with them. Nothing was kept; send them again."""


class Summing(Protocol):
    def update(self, data: bytes | memoryview, /) -> None: ...
    def digest(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Check:
    """Of one request's body: nothing of it counts before all of it was seen."""

    summing: Summing
    expected: bytes

    def require(self) -> None:
        if not hmac.compare_digest(self.summing.digest(), self.expected):
            raise SumDiffers


async def as_sender[T](request: Request, work: Callable[[Sender], T]) -> T:
    given = credential(request)
    return await in_db(lambda: work(sender(given, "upload")))


async def settled_upload(request: Request) -> Upload:
    """The caller's upload, and nobody writes to it: what is said of it now stays true until somebody does."""

    def find(who: Sender) -> Upload:
        upload: Upload = who.find(request.path_params["upload_id"])
        return upload

    upload = await as_sender(request, find)
    if await _flights.end_older(upload.pk):
        await in_db(upload.refresh_from_db)
    return upload


async def append(request: Request, upload: Upload, offset: int, door: UploadDoor, check: Check | None) -> Upload:
    """What came counts, even if the line was cut; with a `check`, all of it or nothing.

    Raises SumDiffers, WrongOffset, TooLarge, PartBusy, StorageFull, UploadNotOpen, ClientDisconnect.
    """
    await _flights.end_older(upload.pk)
    opened = await in_db(begin_append, upload, offset, door)
    task = asyncio.ensure_future(_pour(request, opened, check))
    # The file is let go before whoever ended this request goes on.
    with _flights.flying(upload.pk, task), closing(opened):
        await settled(task)
        failed = PartBusy("A newer request goes on with this upload.") if task.cancelled() else task.exception()
        counts = isinstance(failed, ClientDisconnect | PartBusy) and check is None
        if failed is not None and not counts:
            raise failed
        # What came before the line was cut counts: the client goes on from there.
        upload = await in_files(opened.keep)
        if failed is not None:
            raise failed
    return upload


async def _pour(request: Request, opened: Append, check: Check | None) -> None:
    write = partial(_write, opened, check)
    if pour := pour_of(request.scope):
        await pour(write, in_pours)
    else:
        await _stream(request, write)
    if check is not None:
        check.require()


async def _stream(request: Request, write: Callable[[bytes], None]) -> None:
    held = bytearray()
    try:
        async for chunk in request.stream():
            held += chunk
            if len(held) >= BATCH:
                data = bytes(held)
                held.clear()
                await in_pours(write, data)
    except (ClientDisconnect, asyncio.CancelledError):
        # Whatever ended it, these bytes have come.
        await in_pours(write, bytes(held))
        raise
    await in_pours(write, bytes(held))


def _write(opened: Append, check: Check | None, data: bytes | memoryview) -> None:
    opened.write(data)
    if check is not None:
        check.summing.update(data)
