"""Resumable Uploads for HTTP (draft-ietf-httpbis-resumable-upload), which still changes: only where it is switched on.

Unlike tus, the sender says which request is the last. ASGI cannot send 104, which the draft allows for.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from django.conf import settings
from starlette.responses import Response

from api_app.database import in_db, in_files
from api_app.errors import answer, problem
from api_app.gate import TUS
from api_app.one_request import name_from, sha256_in
from api_app.tus import headers as said
from api_app.tus.appending import Check, append, as_sender, settled_upload
from api_app.upload_answers import upload_out
from orchestration.errors import DigestMismatch, Invalid, LengthDiffers, OrchestrationError, TooLarge, WrongOffset
from orchestration.services.uploads.create import create_upload
from orchestration.services.uploads.signing import require_open
from orchestration.services.uploads.stream import finish_said, require_offset, set_size
from orchestration.states import UploadDoor, UploadState

if TYPE_CHECKING:
    from starlette.requests import Request

    from api_app.callers import Sender
    from orchestration.models import Upload

VERSIONS: Final = frozenset({"5", "6", "7", "8"})
"""What a client sends while the draft changes. What we use of it is the same in all of these, but for one thing."""
UNTYPED: Final = "5"
"""In this version PATCH had no type of its own."""
PARTIAL: Final = "application/partial-upload"
PROBLEMS: Final = "https://iana.org/assignments/http-problem-types#"
INTEROP: Final = "upload-draft-interop-version"


def is_spoken(request: Request) -> bool:
    headers = request.headers
    asks = request.method in {"HEAD", "DELETE"} or "upload-complete" in headers or INTEROP in headers
    return asks and "tus-resumable" not in headers


def unspoken(request: Request) -> Response | None:
    version = request.headers.get(INTEROP)
    if version is not None and version not in VERSIONS:
        return problem(
            400, f"This server speaks versions {', '.join(sorted(VERSIONS))} of the draft, not {version[:9]}."
        )
    return None


def refused(exc: OrchestrationError) -> Response:
    if isinstance(exc, LengthDiffers):
        return problem(400, str(exc), code=exc.code, type=f"{PROBLEMS}inconsistent-upload-length")
    response = answer(exc)
    if isinstance(exc, TooLarge):
        response.headers["upload-limit"] = _limit()
    if isinstance(exc, DigestMismatch):
        # All of it came, and sending more would not help.
        response.headers["upload-complete"] = "?1"
    return response


def always(request: Request) -> dict[str, str]:
    version = request.headers.get(INTEROP, "")
    return {INTEROP: version} if version in VERSIONS else {}


def options() -> dict[str, str]:
    return {"accept-patch": PARTIAL, "upload-limit": _limit()}


async def create(request: Request) -> Response:
    headers, done = request.headers, _is_last(request)
    names = said.metadata(headers.get("upload-metadata", ""))
    media_type = headers.get("content-type", "")
    name = name_from(headers.get("content-disposition", ""))
    own_type = "" if media_type == PARTIAL else media_type
    wanted = said.wanted(names, _length(request, 0, done=done), name=name, content_type=own_type)
    sha256 = sha256_in(headers, "repr-digest")

    def create(who: Sender) -> Upload:
        place = who.place(names.get("workspace", "") or request.query_params.get("workspace", ""))
        door = UploadDoor.IETF
        return create_upload(user=who.user, wanted=wanted, workspace=place, door=door, sha256=sha256)[0]

    check = _check(request)
    upload = await as_sender(request, create)
    if _has_body(request):
        upload = await append(request, upload, 0, UploadDoor.IETF, check)
    return await _outcome(upload, 201, done=done)


async def head(request: Request) -> Response:
    upload = await settled_upload(request)
    if upload.state not in {UploadState.OPEN, *_COMPLETE}:
        return Response(status_code=410)
    return Response(status_code=204, headers=_state(upload))


async def patch(request: Request) -> Response:
    done, check = _is_last(request), _check(request)
    if request.headers.get("content-type") != PARTIAL and request.headers.get(INTEROP) != UNTYPED:
        return problem(415, f"Send `Content-Type: {PARTIAL}`.", headers={"accept-patch": PARTIAL})
    offset = said.number(_item(request, "upload-offset"), "Upload-Offset")
    upload = await settled_upload(request)
    if upload.state in _COMPLETE:
        return _already(request)
    require_open(upload, UploadDoor.IETF)
    try:
        require_offset(upload, offset)
        if (length := _length(request, offset, done=done)) is not None:
            await in_db(set_size, upload, length)
        if _has_body(request):
            upload = await append(request, upload, offset, UploadDoor.IETF, check)
    except WrongOffset as exc:
        return _mismatch(exc, offset)
    return await _outcome(upload, 200 if done else 204, done=done)


async def _outcome(upload: Upload, status: int, *, done: bool) -> Response:
    """The end is answered as any upload is: with what was made of it."""
    body, media_type = "", None
    if done:
        upload = await in_files(finish_said, upload)
        shown = await in_db(upload_out, upload)
        body, media_type = shown.model_dump_json(), "application/json"
    return Response(body, status, headers={"location": f"{TUS}/{upload.pk}", **_state(upload)}, media_type=media_type)


_COMPLETE: Final = (UploadState.COMPLETE, UploadState.COMPLETING)


def _state(upload: Upload) -> dict[str, str]:
    complete = upload.state in _COMPLETE
    length = {} if upload.size is None else {"upload-length": str(upload.size)}
    return {
        "upload-offset": str(upload.size if complete else upload.offset),
        "upload-complete": "?1" if complete else "?0",
        "upload-limit": _limit(upload),
        **length,
    }


def _limit(upload: Upload | None = None) -> str:
    size = f"max-size={settings.MAX_UPLOAD_BYTES}"
    if upload is None or upload.expires_at is None:
        return size
    return f"{size}, max-age={max(0, int((upload.expires_at - datetime.now(UTC)).total_seconds()))}"


def _already(request: Request) -> Response:
    if _has_body(request):
        return refused(LengthDiffers("The upload is complete; it takes no more bytes."))
    more = {"type": f"{PROBLEMS}completed-upload"}
    return problem(410, "The upload is complete.", code="upload_not_open", headers={"upload-complete": "?1"}, **more)


def _mismatch(exc: WrongOffset, provided: int) -> Response:
    expected = exc.details["offset"]
    more = {"type": f"{PROBLEMS}mismatching-upload-offset", "expected-offset": expected, "provided-offset": provided}
    return problem(409, str(exc), code=exc.code, headers={"upload-offset": str(expected)}, **more)


def _length(request: Request, offset: int, *, done: bool) -> int | None:
    """What this request says of the whole length: by itself, and by being the last of known size. Both must agree."""
    told = set()
    if "upload-length" in request.headers:
        told.add(said.number(_item(request, "upload-length"), "Upload-Length"))
    if done and "content-length" in request.headers:
        told.add(offset + int(request.headers["content-length"]))
    if len(told) > 1:
        raise LengthDiffers("Upload-Length is not where this request, said to be the last, ends.")
    return told.pop() if told else None


def _is_last(request: Request) -> bool:
    read = {"?0": False, "?1": True}.get(_item(request, "upload-complete"))
    if read is None:
        raise Invalid("Send Upload-Complete: ?1 with the last of the bytes, ?0 with others.")
    return read


def _item(request: Request, header: str) -> str:
    """A structured field's item without its parameters, of which none is known."""
    return request.headers.get(header, "").partition(";")[0].strip()


def _has_body(request: Request) -> bool:
    return "transfer-encoding" in request.headers or request.headers.get("content-length", "0") != "0"


def _check(request: Request) -> Check | None:
    sha256 = sha256_in(request.headers, "content-digest")
    return Check(hashlib.sha256(), bytes.fromhex(sha256)) if sha256 else None
