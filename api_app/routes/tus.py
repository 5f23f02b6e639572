"""The tus 1.0 door (tus.io/protocols/resumable-upload): the same uploads, for clients that speak it.

A new request for an upload ends the one in flight: a connection that died quietly must not lock its client out.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import zlib
from contextlib import closing
from email.utils import format_datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from django.conf import settings
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from api_app.callers import Sender, sender
from api_app.database import in_db, in_files
from api_app.errors import answer, problem
from api_app.flights import Flights, settled
from api_app.gate import TUS, credential
from orchestration.errors import Invalid, OrchestrationError, PartBusy
from orchestration.services.uploads.complete import abort
from orchestration.services.uploads.create import Wanted, create_upload
from orchestration.services.uploads.stream import Append, begin_append, finish_if_whole, set_size
from orchestration.states import UploadDoor, UploadState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import Receive, Scope, Send

    from orchestration.models import Upload

VERSION: Final = "1.0.0"
EXTENSIONS: Final = (
    "creation",
    "creation-with-upload",
    "creation-defer-length",
    "expiration",
    "termination",
    "checksum",
)
OFFSETS: Final = "application/offset+octet-stream"
BATCH: Final = 1 << 20
CHECKSUM_MISMATCH: Final = 460
SUMS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "sha1": lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),
    "sha256": lambda data: hashlib.sha256(data).digest(),
    "md5": lambda data: hashlib.md5(data, usedforsecurity=False).digest(),
    "crc32": lambda data: zlib.crc32(data).to_bytes(4),
}
MOST_SUMMED: Final = 64 << 20
"""Bytes of a request with Upload-Checksum: nothing of it may count before all of it was seen."""
_flights: Final = Flights[UUID]()


class Tus:
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await _answered(request)
        except SumDiffers as exc:
            response = problem(400, str(exc), code=exc.code)
            response.status_code = CHECKSUM_MISMATCH
        except OrchestrationError as exc:
            response = answer(exc)
        except ClientDisconnect:
            return
        response.headers["tus-resumable"] = VERSION
        response.headers.setdefault("cache-control", "no-store")
        await response(scope, receive, send)


async def _answered(request: Request) -> Response:
    method = request.headers.get("x-http-method-override", request.method).upper()
    if method == "OPTIONS":
        return _options()
    if request.headers.get("tus-resumable") != VERSION:
        return problem(412, f"Send `Tus-Resumable: {VERSION}`.", headers={"tus-version": VERSION})
    act: Callable[[Request], Awaitable[Response]] | None = {
        (False, "POST"): _create,
        (True, "HEAD"): _head,
        (True, "PATCH"): _patch,
        (True, "DELETE"): _delete,
    }.get(("upload_id" in request.path_params, method))
    return await act(request) if act else problem(405)


def _options() -> Response:
    headers = {
        "tus-version": VERSION,
        "tus-extension": ",".join(EXTENSIONS),
        "tus-max-size": str(settings.MAX_UPLOAD_BYTES),
        "tus-checksum-algorithm": ",".join(SUMS),
    }
    return Response(status_code=204, headers=headers)


async def _as_sender[T](request: Request, work: Callable[[Sender], T]) -> T:
    given = credential(request)
    return await in_db(lambda: work(sender(given, "upload")))


async def _create(request: Request) -> Response:
    wanted, workspace = _wanted(request)
    upload = await _as_sender(
        request,
        lambda who: create_upload(user=who.user, wanted=wanted, workspace=who.place(workspace), door=UploadDoor.TUS)[0],
    )
    if request.headers.get("content-type") == OFFSETS:
        upload = await _append(request, upload, 0)
    headers = {"location": f"{TUS}/{upload.pk}", "upload-offset": str(_offset(upload)), **_expires(upload)}
    return Response(status_code=201, headers=headers)


def _wanted(request: Request) -> tuple[Wanted, str]:
    length = request.headers.get("upload-length")
    if length is None and request.headers.get("upload-defer-length") != "1":
        raise Invalid("Send Upload-Length, or Upload-Defer-Length: 1.")
    said = _metadata(request.headers.get("upload-metadata", ""))
    relative = said.get("relativePath", "")
    wanted = Wanted(
        name=said.get("filename") or said.get("name") or "upload",
        size=None if length is None else _number(length, "Upload-Length"),
        path=relative.rpartition("/")[0] if relative not in {"", "null"} else "",
        content_type=said.get("filetype") or said.get("type") or "",
    )
    return wanted, said.get("workspace", "")


def _metadata(header: str) -> dict[str, str]:
    """`key base64,key base64`; a key alone has the value "". Raises Invalid."""
    found = {}
    for pair in filter(None, (part.strip() for part in header.split(","))):
        key, _, value = pair.partition(" ")
        try:
            found[key] = base64.b64decode(value.strip(), validate=True).decode()
        except ValueError as exc:  # no base64, or no UTF-8
            raise Invalid(f"Upload-Metadata: the value of {key[:50]} is not UTF-8 in base64.") from exc
    return found


def _number(text: str, header: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 19):  # noqa: PLR2004  digits of 2**63
        raise Invalid(f"{header} is a number of bytes; this is {text[:40]!r}.")
    return int(text)


async def _head(request: Request) -> Response:
    upload = await _as_sender(request, lambda who: _mine(who, request))
    if upload.state not in {UploadState.OPEN, UploadState.COMPLETE, UploadState.COMPLETING}:
        return Response(status_code=410)
    size = {"upload-defer-length": "1"} if upload.size is None else {"upload-length": str(upload.size)}
    return Response(headers={"upload-offset": str(_offset(upload)), **size, **_expires(upload)})


def _mine(who: Sender, request: Request) -> Upload:
    upload: Upload = who.find(request.path_params["upload_id"])
    return upload


def _offset(upload: Upload) -> int:
    return upload.offset if upload.state == UploadState.OPEN else upload.size or 0


def _expires(upload: Upload) -> dict[str, str]:
    return {"upload-expires": format_datetime(upload.expires_at, usegmt=True)} if upload.expires_at else {}


async def _patch(request: Request) -> Response:
    if request.headers.get("content-type") != OFFSETS:
        return problem(415, f"Send `Content-Type: {OFFSETS}`.")
    offset = _number(request.headers.get("upload-offset", ""), "Upload-Offset")
    upload = await _as_sender(request, lambda who: _mine(who, request))
    if (length := request.headers.get("upload-length")) is not None:
        await in_db(set_size, upload, _number(length, "Upload-Length"))
    upload = await _append(request, upload, offset)
    return Response(status_code=204, headers={"upload-offset": str(_offset(upload)), **_expires(upload)})


async def _delete(request: Request) -> Response:
    def ended(who: Sender) -> None:
        abort(user=who.user, upload=_mine(who, request))

    await _as_sender(request, ended)
    return Response(status_code=204)


async def _append(request: Request, upload: Upload, offset: int) -> Upload:
    await _flights.end_older(upload.pk)
    append = await in_db(begin_append, upload, offset)
    task = asyncio.ensure_future(_pour(request, append))
    # The file is let go before whoever ended this request goes on.
    with _flights.flying(upload.pk, task), closing(append):
        upload = await _kept(request, append, task)
    return await in_db(finish_if_whole, upload)


async def _kept(request: Request, append: Append, task: asyncio.Task[Append]) -> Upload:
    await settled(task)
    failed = PartBusy("A newer request goes on with this upload.") if task.cancelled() else task.exception()
    counts = isinstance(failed, ClientDisconnect | PartBusy) and "upload-checksum" not in request.headers
    if failed is not None and not counts:
        raise failed
    # What came before the line was cut counts: the client goes on from there.
    upload = await in_db(append.keep)
    if failed is not None:
        raise failed
    return upload


async def _pour(request: Request, append: Append) -> Append:
    check = _checksum(request.headers.get("upload-checksum"))
    if check is not None:
        data = await _summed(request)
        await in_files(check, data)
        await in_files(append.write, data)
        return append
    held = bytearray()
    try:
        async for chunk in request.stream():
            held += chunk
            if len(held) >= BATCH:
                data = bytes(held)
                held.clear()
                await in_files(append.write, data)
    except (ClientDisconnect, asyncio.CancelledError):
        # Whatever ended it, these bytes have come.
        await in_files(append.write, bytes(held))
        raise
    await in_files(append.write, bytes(held))
    return append


async def _summed(request: Request) -> bytes:
    held = bytearray()
    async for chunk in request.stream():
        held += chunk
        if len(held) > MOST_SUMMED:
            raise Invalid(f"A request with Upload-Checksum has at most {MOST_SUMMED} bytes. Send smaller chunks.")
    return bytes(held)


def _checksum(header: str | None) -> Callable[[bytes], None] | None:
    if header is None:
        return None
    algorithm, _, encoded = header.partition(" ")
    if algorithm not in SUMS:
        raise Invalid(f"Upload-Checksum: one of {', '.join(SUMS)}; this is {algorithm[:20]!r}.")

    def check(data: bytes) -> None:
        if base64.b64encode(SUMS[algorithm](data)).decode() != encoded.strip():
            raise SumDiffers

    return check


class SumDiffers(OrchestrationError):
    """The bytes that arrived do not have the checksum in Upload-Checksum. Nothing was kept; send them again."""

    code = "checksum_mismatch"


routes: Final = [
    Route(TUS, Tus(), methods=["POST", "OPTIONS"]),
    Route(f"{TUS}/{{upload_id:uuid}}", Tus(), methods=["HEAD", "PATCH", "DELETE", "POST", "OPTIONS"]),
]
