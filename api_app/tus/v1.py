"""tus 1.0 (tus.io/protocols/resumable-upload), whole but for `concatenation-unfinished`."""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from typing import TYPE_CHECKING, Final

from django.conf import settings
from starlette.responses import Response

from api_app.callers import sender
from api_app.database import in_db, in_files
from api_app.errors import answer, problem
from api_app.gate import TUS, credential
from api_app.tus import headers as said
from api_app.tus.appending import Check, SumDiffers, Summing, append, as_sender, settled_upload
from orchestration.errors import Forbidden, Invalid, OrchestrationError
from orchestration.services.uploads.concat import join_uploads, went_into
from orchestration.services.uploads.create import create_upload
from orchestration.services.uploads.stream import finish_if_whole, set_size
from orchestration.states import UploadDoor, UploadState

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from api_app.callers import Sender
    from orchestration.models import Upload

VERSION: Final = "1.0.0"
EXTENSIONS: Final = (
    "creation",
    "creation-with-upload",
    "creation-defer-length",
    "expiration",
    "termination",
    "checksum",
    "concatenation",
)
OFFSETS: Final = "application/offset+octet-stream"
CHECKSUM_MISMATCH: Final = 460


class Crc32:
    def __init__(self) -> None:
        self._crc = 0

    def update(self, data: bytes | memoryview) -> None:
        self._crc = zlib.crc32(data, self._crc)

    def digest(self) -> bytes:
        return self._crc.to_bytes(4)


SUMS: Final[dict[str, Callable[[], Summing]]] = {
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "sha256": hashlib.sha256,
    "md5": lambda: hashlib.md5(usedforsecurity=False),
    "crc32": Crc32,
}


def unspoken(request: Request) -> Response | None:
    if request.headers.get("tus-resumable") != VERSION:
        return problem(412, f"Send `Tus-Resumable: {VERSION}`.", headers={"tus-version": VERSION})
    return None


def refused(exc: OrchestrationError) -> Response:
    response = answer(exc)
    if isinstance(exc, SumDiffers):
        response.status_code = CHECKSUM_MISMATCH
    return response


def always(_request: Request) -> dict[str, str]:
    return {"tus-resumable": VERSION}


def options() -> dict[str, str]:
    return {
        "tus-version": VERSION,
        "tus-extension": ",".join(EXTENSIONS),
        "tus-max-size": str(settings.MAX_UPLOAD_BYTES),
        "tus-checksum-algorithm": ",".join(SUMS),
    }


async def create(request: Request) -> Response:
    concat = request.headers.get("upload-concat", "")
    said.require_concat(concat)
    if concat.startswith(said.FINAL):
        return await _join(request, concat)
    names = said.metadata(request.headers.get("upload-metadata", ""))
    wanted = said.wanted(names, _length(request))

    def create(who: Sender) -> Upload:
        place = who.place(names.get("workspace", ""))
        door = UploadDoor.TUS
        return create_upload(user=who.user, wanted=wanted, workspace=place, door=door, concat=concat)[0]

    upload = await as_sender(request, create)
    if request.headers.get("content-type") == OFFSETS:
        upload = await _append(request, upload, 0)
    created = {"location": f"{TUS}/{upload.pk}", "upload-offset": str(_offset(upload))}
    return Response(status_code=201, headers=created | _concat(upload) | said.expires(upload))


def _length(request: Request) -> int | None:
    length = request.headers.get("upload-length")
    if length is None and request.headers.get("upload-defer-length") != "1":
        raise Invalid("Send Upload-Length, or Upload-Defer-Length: 1.")
    return None if length is None else said.number(length, "Upload-Length")


async def _join(request: Request, concat: str) -> Response:
    if "upload-length" in request.headers:
        raise Invalid("A final upload is as long as its partial ones: send no Upload-Length with it.")
    given, ids = credential(request), said.partial_ids(concat)
    names = said.metadata(request.headers.get("upload-metadata", ""))
    wanted = said.wanted(names, None)

    def join() -> Upload:
        who = sender(given, "upload")
        place = who.place(names.get("workspace", ""))
        return join_uploads(user=who.user, ids=ids, wanted=wanted, workspace=place, concat=concat)

    # Where the file system cannot share blocks, this copies all of the bytes.
    upload = await in_files(join)
    return Response(status_code=201, headers={"location": f"{TUS}/{upload.pk}"} | _concat(upload))


async def head(request: Request) -> Response:
    upload = await in_files(finish_if_whole, await settled_upload(request))
    alive = upload.state in {UploadState.OPEN, UploadState.COMPLETE, UploadState.COMPLETING}
    if not alive and not await in_db(went_into, upload):
        return Response(status_code=410)
    # A final upload has an offset only when its bytes are joined.
    joining = bool(upload.concat) and upload.state == UploadState.COMPLETING
    offset = {} if joining else {"upload-offset": str(_offset(upload))}
    size = {"upload-defer-length": "1"} if upload.size is None else {"upload-length": str(upload.size)}
    return Response(headers=offset | size | _concat(upload) | said.expires(upload))


def _concat(upload: Upload) -> dict[str, str]:
    return {"upload-concat": upload.concat} if upload.concat else {}


def _offset(upload: Upload) -> int:
    return upload.offset if upload.state == UploadState.OPEN or upload.is_partial else upload.size or 0


async def patch(request: Request) -> Response:
    if request.headers.get("content-type") != OFFSETS:
        return problem(415, f"Send `Content-Type: {OFFSETS}`.")
    offset = said.number(request.headers.get("upload-offset", ""), "Upload-Offset")
    upload = await settled_upload(request)
    if upload.concat.startswith(said.FINAL):
        raise Forbidden("A final upload is made of its partial ones and takes no bytes of its own.")
    if (length := request.headers.get("upload-length")) is not None:
        await in_db(set_size, upload, said.number(length, "Upload-Length"))
    upload = await _append(request, upload, offset)
    return Response(status_code=204, headers={"upload-offset": str(_offset(upload)), **said.expires(upload)})


async def _append(request: Request, upload: Upload, offset: int) -> Upload:
    check = _checksum(request.headers.get("upload-checksum"))
    upload = await append(request, upload, offset, UploadDoor.TUS, check)
    return await in_files(finish_if_whole, upload)


def _checksum(header: str | None) -> Check | None:
    if header is None:
        return None
    algorithm, _, encoded = header.partition(" ")
    if algorithm not in SUMS:
        raise Invalid(f"Upload-Checksum: one of {', '.join(SUMS)}; this is {algorithm[:20]!r}.")
    try:
        expected = base64.b64decode(encoded.strip(), validate=True)
    except binascii.Error as exc:
        raise Invalid("Upload-Checksum: the checksum is not base64.") from exc
    return Check(SUMS[algorithm](), expected)
