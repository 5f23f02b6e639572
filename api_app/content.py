"""A file's bytes as an answer that no browser runs: attachment, sandboxed, never sniffed (SEC-081 to SEC-083)."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

from api_app.database import in_files
from api_app.errors import problem
from orchestration.services.files import download_url, open_content

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import BinaryIO

    from starlette.types import Receive, Scope, Send

    from orchestration.models import File

BLOCK: Final = 1 << 18
BINARY: Final = "application/octet-stream"
# Nothing that a browser would run, whatever it is told: no HTML, SVG, XML or script.
SERVED_AS_IS: Final = frozenset(
    {
        "application/gzip",
        "application/json",
        "application/jsonl",
        "application/pdf",
        "application/vnd.apache.parquet",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "application/zip",
        "image/gif",
        "image/jpeg",
        "image/png",
        "image/tiff",
        "image/webp",
        "text/csv",
        "text/markdown",
        "text/plain",
        "text/tab-separated-values",
    }
)
_RANGE: Final = re.compile(r"bytes=([0-9]{0,19})-([0-9]{0,19})")


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes from `start` up to but not including `stop`."""

    start: int
    stop: int


class Unsatisfiable(Exception):
    """The range lies beyond the end."""


def parse_range(header: str, size: int) -> Span | None:
    """The one range asked for. None: none, several, or nothing we understand, and then the whole file is right."""
    found = _RANGE.fullmatch(header.strip())
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        start, stop = max(0, size - int(last)), size
    else:
        start, stop = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return None
    if start >= size or stop <= start:
        raise Unsatisfiable
    return Span(start, stop)


def span_asked(headers: dict[bytes, bytes], *, etag: str, size: int) -> Span | None:
    """As `parse_range`, of a request's headers; the whole where another version was meant."""
    if b"range" not in headers or headers.get(b"if-range", etag.encode()) != etag.encode():
        return None
    return parse_range(headers[b"range"].decode("latin-1"), size)


def repr_digest(sha256: str) -> str:
    """RFC 9530, of the whole file even when a part is sent."""
    return f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:"


def disposition(name: str) -> str:
    """RFC 6266, with a plain fallback for old clients. A result's folders become part of its name."""
    flat = name.replace("/", "_")
    plain = re.sub(r'[^\x20-\x7e]|["\\%]', "_", flat)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(flat, safe='')}"


class FileContent(Response):
    def __init__(self, file: File) -> None:
        self._file = file
        self._etag = f'"{file.sha256}"'
        self.background = None
        self.status_code = HTTPStatus.OK
        self.body = b""
        media_type = file.media_type.partition(";")[0].strip().lower()
        self._common = {
            "accept-ranges": "bytes",
            "cache-control": "private, no-store",
            "content-disposition": disposition(file.name),
            "content-security-policy": "sandbox; default-src 'none'",
            "content-type": media_type if media_type in SERVED_AS_IS else BINARY,
            "etag": self._etag,
            "repr-digest": repr_digest(file.sha256),
            "x-content-type-options": "nosniff",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = dict(scope["headers"])
        if self._etag.encode() in asked.get(b"if-none-match", b""):
            return await _start(
                send, HTTPStatus.NOT_MODIFIED, {"etag": self._etag, "cache-control": "private, no-store"}
            )
        size = self._file.size
        try:
            span = span_asked(asked, etag=self._etag, size=size)
        except Unsatisfiable:
            refusal = problem(416, f"The file has {size} bytes.", headers={"content-range": f"bytes */{size}"})
            return await refusal(scope, receive, send)
        headers, status = self._common, HTTPStatus.OK
        if span is not None:
            headers = headers | {"content-range": f"bytes {span.start}-{span.stop - 1}/{size}"}
            status = HTTPStatus.PARTIAL_CONTENT
        span = span or Span(0, size)
        headers = headers | {"content-length": str(span.stop - span.start)}
        if scope["method"] == "HEAD":
            return await _start(send, status, headers)
        if url := await in_files(partial(download_url, self._file, media_type=headers["content-type"])):
            # The range asked for is asked for again there; no byte comes through here.
            return await _start(send, HTTPStatus.TEMPORARY_REDIRECT, {"location": url, "cache-control": "no-store"})
        # Opened before the first header goes out: a missing object is an error, not a short answer.
        content = await in_files(open_content, self._file)
        try:
            await StreamingResponse(_blocks(content, span), status, headers)(scope, receive, send)
        finally:
            content.close()
        return None


async def _start(send: Send, status: int, headers: dict[str, str]) -> None:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": int(status), "headers": raw})
    await send({"type": "http.response.body", "body": b""})


async def _blocks(content: BinaryIO, span: Span) -> AsyncIterator[bytes]:
    """A block at a time, and the next only when the last was taken: memory stays flat."""
    position = span.start
    while position < span.stop:
        block = await in_files(_read, content, position, min(BLOCK, span.stop - position))
        if not block:
            raise OSError("a stored file is shorter than its row says")
        position += len(block)
        yield block


def _read(content: BinaryIO, position: int, length: int) -> bytes:
    content.seek(position)
    return content.read(length)
