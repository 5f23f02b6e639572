"""One file in one request: the body is the bytes. Also what tells such a body from the JSON that begins an upload."""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from api_app.auth import scope_of
from api_app.callers import sender
from api_app.content import repr_digest
from api_app.database import in_db, in_files, in_pours
from api_app.errors import FormInsteadOfFile
from api_app.gate import Credential, credential
from api_app.nesting import check
from api_app.receiving import pour_of, written
from api_app.upload_answers import upload_out
from api_app.upload_schemas import UploadIn, UploadOut
from orchestration.errors import Invalid, TooLarge
from orchestration.services.receiving import Announced, Receiving, receive

JSON_BODY: Final = 1 << 20
SHA256_BYTES: Final = 32
_SHA256: Final = re.compile(r"sha-256=:([A-Za-z0-9+/]{43}=):")
_EXTENDED: Final = re.compile(r"""(?:^|;)\s*filename\*\s*=\s*UTF-8'[^']*'([^;\s]+)""", re.IGNORECASE)
_QUOTED: Final = re.compile(r'(?:^|;)\s*filename\s*=\s*"((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_TOKEN: Final = re.compile(r"(?:^|;)\s*filename\s*=\s*([^;\"\s]+)", re.IGNORECASE)


SCHEMA: Final[dict[str, Any]] = {
    "requestBody": {
        # Of no bytes a file can be too.
        "content": {
            "application/json": {"schema": UploadIn.model_json_schema()},
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        },
    },
}


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def is_resource(request: Request) -> bool:
    """JSON, and no word of a file's name: then the JSON is not the file."""
    named = "content-disposition" in request.headers or "name" in request.query_params
    return _media_type(request) == "application/json" and not named


async def read_json[M: BaseModel](request: Request, model: type[M]) -> M:
    """As FastAPI would, on a route whose body may also be terabytes of something else."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > JSON_BODY:
            raise TooLarge(f"A JSON body has at most {JSON_BODY:,} bytes.")
    check(body)
    try:
        return model.model_validate_json(body)
    except ValidationError as exc:
        errors = exc.errors(include_url=False, include_context=False, include_input=False)
        raise RequestValidationError([{**e, "loc": ("body", *e["loc"])} for e in errors]) from exc


async def upload_file(request: Request, response: Response, *, name: str, path: str, workspace: str) -> UploadOut:
    """Durable when this answers. Length and, if given, SHA-256 and CRC64NVME are checked."""
    if _media_type(request) == "multipart/form-data":
        raise FormInsteadOfFile  # nobody could use the file that it would become
    headers = request.headers
    announced = Announced(
        name=name,
        path=path,
        size=size_of(request),
        sha256=sha256_from(headers) or "",
        crc64nvme=headers.get("x-amz-checksum-crc64nvme", ""),
    )
    receiving = await in_db(_begin, credential(request), scope_of(request), announced, workspace)
    try:
        await _pour(request, receiving)
        upload = await in_files(_commit, receiving)
    finally:
        # After a commit there is nothing left to discard; in every other case the bytes must not stay.
        await in_files(receiving.discard)
    if upload.file is not None:
        response.headers["repr-digest"] = repr_digest(upload.file.sha256)
        response.headers["location"] = f"/api/v1/files/{upload.file.id}"
    return upload


def size_of(request: Request) -> int | None:
    """Of the body in bytes; None where only its end will tell."""
    length = request.headers.get("content-length")
    return None if length is None else int(length)


def _begin(given: Credential, scope: str, announced: Announced, workspace: str) -> Receiving:
    who = sender(given, scope)
    return receive(user=who.user, announced=announced, workspace=who.place(workspace))


async def _pour(request: Request, receiving: Receiving) -> None:
    if pour := pour_of(request.scope):
        await pour(receiving.write, in_pours)
    else:
        await written(request.stream(), receiving.write)


def _commit(receiving: Receiving) -> UploadOut:
    upload = receiving.commit()
    return upload_out(upload)


def sha256_from(headers: Mapping[str, str]) -> str | None:
    """RFC 9530, strictly: a digest that we cannot read was meant to be checked, so it is an error."""
    found = {digest for field in ("repr-digest", "content-digest") if (digest := sha256_in(headers, field))}
    if len(found) > 1:
        raise Invalid("Repr-Digest and Content-Digest contradict each other.")
    return found.pop() if found else None


def sha256_in(headers: Mapping[str, str], field: str) -> str:
    """In hex, "" for none."""
    found = ""
    for member in headers.get(field, "").split(","):
        if member.strip().partition("=")[0].lower() == "sha-256":
            decoded = _decoded(member.strip(), field)
            if found not in {"", decoded}:
                raise Invalid(f"The header {field} has two SHA-256 that contradict each other.")
            found = decoded
    return found


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
