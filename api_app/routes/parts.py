"""PUT of one part, or of many small files at once: an address is the permission, so nobody is asked who he is."""

from __future__ import annotations

import asyncio
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl
from uuid import UUID

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response

from api_app.database import Together, in_db, in_files
from api_app.errors import STATUS, answer
from api_app.flights import Flights, settled
from api_app.receiving import Landing, drain, held, land, pass_on
from api_app.upload_answers import problem_of
from orchestration.errors import LengthRequired, PartBusy, WrongLength
from orchestration.services.uploads.bundle import Bundle
from orchestration.services.uploads.parts import check_crc, open_part, open_whole, put_whole, record_part
from orchestration.services.uploads.signing import Grant, read_grant
from orchestration.storage.local import full_disk_named

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from orchestration.errors import OrchestrationError

CHECKSUM: Final = "x-amz-checksum-crc64nvme"
HELD: Final = 256 << 10
"""Bytes of a body that is held and checked before a file is opened for it: one turn of a thread instead of three."""
_held_files: Final = Together(in_files)
_flights: Final = Flights[tuple[UUID, int]]()


async def put_part(upload: UUID, number: int, scope: Scope, receive: Receive, send: Send) -> None:
    """Exactly the bytes that were signed. Nothing is recorded of any others."""
    try:
        grant = _granted(upload, number, scope)
        await (_whole if grant.single else _part)(grant, scope, receive)
    except tuple(STATUS) as exc:
        response = answer(exc)
    else:
        response = Response(headers={"etag": f'"{grant.crc64nvme}"', CHECKSUM: grant.crc64nvme})
    await response(scope, receive, send)


async def put_bundle(scope: Scope, receive: Receive, send: Send) -> None:
    """For each file of the body, in order, null or what is wrong with it."""
    bundle = Bundle()
    try:
        await pass_on(scope, receive, _length(Headers(scope=scope)), bundle.write)
        bundle.close()
    except tuple(STATUS) as exc:
        response = answer(exc)
    else:
        response = JSONResponse({"results": [_result(*outcome) for outcome in enumerate(bundle.outcomes)]})
    await response(scope, receive, send)


def _result(index: int, fault: OrchestrationError | None) -> dict[str, Any]:
    return {"index": index, "problem": problem_of(fault) if fault else None}


def _length(headers: Headers) -> int:
    length = headers.get("content-length")
    if length is None:
        raise LengthRequired
    return int(length)


def _granted(upload: UUID, number: int, scope: Scope) -> Grant:
    """Everything that can be known before a byte of the body is read."""
    headers = Headers(scope=scope)
    query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    grant = read_grant(upload, number, query)
    length = _length(headers)
    if length != grant.length:
        raise WrongLength(f"This URL is for {grant.length} bytes; Content-Length says {length}.")
    if headers.get(CHECKSUM, grant.crc64nvme) != grant.crc64nvme:
        raise WrongLength("This URL was signed for another checksum. Sign the part again with the one it has now.")
    return grant


async def _whole(grant: Grant, scope: Scope, receive: Receive) -> None:
    if grant.length <= HELD:
        await _held_files.run(put_whole, grant, await held(receive, grant.length))
        return
    opened = open_whole(grant.upload, grant.length)
    fd = await in_files(opened.__enter__)
    failed: BaseException | None = None
    try:
        with full_disk_named():
            landed = await land(scope, receive, fd, 0, grant.length)
        check_crc(grant, landed.crc64nvme)
    except BaseException as exc:
        failed = exc
        raise
    finally:
        await in_files(opened.__exit__, type(failed) if failed else None, failed, None)


async def _part(grant: Grant, scope: Scope, receive: Receive) -> None:
    key = (grant.upload, grant.number)
    await _flights.end_older(key)
    with closing(await in_db(open_part, grant)) as opened:
        if opened.is_there:
            await drain(receive)
            return
        landing = asyncio.ensure_future(land(scope, receive, opened.fd, grant.offset, grant.length))
        # The part is let go before whoever ended this request goes on.
        with _flights.flying(key, landing), closing(opened), full_disk_named():
            landed = await _outcome(landing)
            await in_db(record_part, grant, landed.crc64nvme)


async def _outcome(landing: asyncio.Task[Landing]) -> Landing:
    """Raises PartBusy when a newer request for the part has ended this one."""
    await settled(landing)
    if landing.cancelled():
        raise PartBusy("A newer request sends this part.")
    return landing.result()
