"""One file in one request: the body is the bytes."""

import asyncio
import base64
import binascii
import re
from collections.abc import Mapping
from typing import Annotated, Final
from urllib.parse import unquote_to_bytes

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from api_app.answers import file_out
from api_app.auth import identify, scope_of
from api_app.content import repr_digest
from api_app.database import in_db, in_files
from api_app.gate import Credential, credential
from api_app.schemas import UploadOut
from orchestration.errors import Invalid, NotFound
from orchestration.models import User
from orchestration.services.tickets import read_ticket
from orchestration.services.uploads import Receiving, receive
from orchestration.states import UploadState

router = APIRouter(tags=["files"])
BATCH: Final = 1 << 20
SHA256_BYTES: Final = 32
_SHA256: Final = re.compile(r"sha-256=:([A-Za-z0-9+/]{43}=):")
_EXTENDED: Final = re.compile(r"""(?:^|;)\s*filename\*\s*=\s*UTF-8'[^']*'([^;\s]+)""", re.IGNORECASE)
_QUOTED: Final = re.compile(r'(?:^|;)\s*filename\s*=\s*"((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_TOKEN: Final = re.compile(r"(?:^|;)\s*filename\s*=\s*([^;\"\s]+)", re.IGNORECASE)


@router.post("/uploads", status_code=201)
async def upload_file(
    request: Request,
    response: Response,
    name: Annotated[str, Query(max_length=1024)] = "",
    workspace: Annotated[str, Query(max_length=63)] = "",
) -> UploadOut:
    """Durable when this answers. Length and, if given, SHA-256 (`Repr-Digest`) are checked."""
    headers = request.headers
    name = name_from(headers.get("content-disposition", "")) or name
    size = int(headers["content-length"]) if "content-length" in headers else None
    sha256 = sha256_from(headers)
    receiving = await in_db(_begin, credential(request), scope_of(request), name, workspace, size, sha256)
    try:
        await _pour(request, receiving)
        upload = await in_files(_commit, receiving)
    finally:
        # After a commit there is nothing left to discard; in every other case the bytes must not stay.
        await in_files(receiving.discard)
    response.headers["repr-digest"] = repr_digest(upload.file.sha256)
    response.headers["location"] = f"/api/v1/files/{upload.file.id}"
    return upload


def _begin(given: Credential, scope: str, name: str, workspace: str, size: int | None, sha256: str | None) -> Receiving:
    user, slug = _who(given, scope, workspace)
    return receive(user=user, name=name, workspace=slug, size=size, sha256=sha256)


def _who(given: Credential, scope: str, workspace: str) -> tuple[User, str]:
    if given.scheme != "ticket":
        return identify(given.secret, scope).user, workspace
    user, slug = read_ticket(given.secret)
    if workspace not in {"", slug}:
        raise NotFound("This upload ticket is for another workspace.")
    return user, slug


async def _pour(request: Request, receiving: Receiving) -> None:
    """While one batch is written the next one is read, and no more than that: memory stays flat."""
    batch: list[bytes] = []
    held = 0
    writing: asyncio.Task[None] | None = None
    try:
        async for chunk in request.stream():
            batch.append(chunk)
            held += len(chunk)
            if held >= BATCH:
                if writing is not None:
                    await writing
                writing = asyncio.ensure_future(in_files(receiving.write, b"".join(batch)))
                batch, held = [], 0
        if writing is not None:
            await writing
        await in_files(receiving.write, b"".join(batch))
    finally:
        if writing is not None and not writing.done():
            await asyncio.wait([writing])


def _commit(receiving: Receiving) -> UploadOut:
    file = receiving.commit()
    return UploadOut(id=file.upload_id or file.pk, state=UploadState.COMPLETE, file=file_out(file))


def sha256_from(headers: Mapping[str, str]) -> str | None:
    """RFC 9530, strictly: a digest that we cannot read was meant to be checked, so it is an error."""
    found: set[str] = set()
    for field in ("repr-digest", "content-digest"):
        for member in headers.get(field, "").split(","):
            algorithm = member.strip().partition("=")[0].lower()
            if algorithm == "sha-256":
                found.add(_decoded(member.strip(), field))
    if len(found) > 1:
        raise Invalid("Repr-Digest and Content-Digest contradict each other.")
    return found.pop() if found else None


def _decoded(member: str, field: str) -> str:
    matched = _SHA256.fullmatch(member)
    try:
        digest = base64.b64decode(matched[1], validate=True) if matched else b""
    except binascii.Error:
        digest = b""
    if len(digest) != SHA256_BYTES:
        raise Invalid(f"The header {field} has no SHA-256 in the form sha-256=:<base64>:.")
    return digest.hex()


def name_from(header: str) -> str:
    """The file name in a Content-Disposition (RFC 6266): the extended form wins."""
    if found := _EXTENDED.search(header):
        try:
            return unquote_to_bytes(found[1]).decode()
        except UnicodeDecodeError as exc:
            raise Invalid("The file's name in Content-Disposition is not valid UTF-8.") from exc
    if found := _QUOTED.search(header):
        return re.sub(r"\\(.)", r"\1", found[1])
    found = _TOKEN.search(header)
    return found[1] if found else ""
