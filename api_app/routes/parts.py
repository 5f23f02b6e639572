"""PUT of one part: the address is the permission, so nobody is asked who he is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers, QueryParams
from starlette.responses import Response
from starlette.routing import Route

from api_app.database import in_db, in_files
from api_app.errors import answer
from api_app.receiving import Landed, drain, land
from orchestration.errors import LengthRequired, OrchestrationError, PartBusy, WrongLength
from orchestration.services.uploads.parts import check_crc, open_part, open_whole, record_part
from orchestration.services.uploads.signing import Grant, read_grant
from orchestration.storage.local import full_disk_named

if TYPE_CHECKING:
    from uuid import UUID

    from starlette.types import Receive, Scope, Send

CHECKSUM: Final = "x-amz-checksum-crc64nvme"
OLDER_S: Final = 5
# By upload and number: whoever comes for a part that is being written here ends the one before, who may be dead.
_landing: Final[dict[tuple[UUID, int], asyncio.Task[Landed]]] = {}


class PutPart:
    """Exactly the bytes that were signed. Nothing is recorded of any others."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            grant = _granted(scope)
            await (_whole if grant.single else _part)(grant, scope, receive)
        except OrchestrationError as exc:
            response = answer(exc)
        else:
            response = Response(headers={"etag": f'"{grant.crc64nvme}"', CHECKSUM: grant.crc64nvme})
        await response(scope, receive, send)


def _granted(scope: Scope) -> Grant:
    """Everything that can be known before a byte of the body is read."""
    path, headers = scope["path_params"], Headers(scope=scope)
    query = dict(QueryParams(scope["query_string"]))
    grant = read_grant(path["upload_id"], path["number"], query)
    length = headers.get("content-length")
    if length is None:
        raise LengthRequired
    if int(length) != grant.length:
        raise WrongLength(f"This URL is for {grant.length} bytes; Content-Length says {length}.")
    if headers.get(CHECKSUM, grant.crc64nvme) != grant.crc64nvme:
        raise WrongLength("This URL was signed for another checksum. Sign the part again with the one it has now.")
    return grant


async def _whole(grant: Grant, scope: Scope, receive: Receive) -> None:
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
    await _end_older(key)
    opened = await in_db(open_part, grant)
    try:
        if opened.is_there:
            await drain(receive)
            return
        landing = asyncio.ensure_future(land(scope, receive, opened.fd, grant.offset, grant.length))
        _landing[key] = landing
        with full_disk_named():
            landed = await _outcome(landing)
        await in_db(record_part, grant, landed.crc64nvme)
    finally:
        opened.close()


async def _outcome(landing: asyncio.Task[Landed]) -> Landed:
    """Raises PartBusy when a newer request for the part has ended this one."""
    try:
        await asyncio.wait([landing])
    except asyncio.CancelledError:
        landing.cancel()
        await asyncio.wait([landing])
        raise
    finally:
        for key in [key for key, task in _landing.items() if task is landing]:
            del _landing[key]
    if landing.cancelled():
        raise PartBusy("A newer request sends this part.")
    return landing.result()


async def _end_older(key: tuple[UUID, int]) -> None:
    older = _landing.get(key)
    if older is not None:
        older.cancel()
        await asyncio.wait([older], timeout=OLDER_S)
        # Its descriptor, and with it the lock, goes when its request has come to its end.
        await asyncio.sleep(0.01)


routes: Final = [Route("/api/v1/uploads/{upload_id:uuid}/parts/{number:int}", PutPart(), methods=["PUT"])]
