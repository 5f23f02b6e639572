"""Bytes to a browser without holding them: 256 KiB at a time, read off the event loop, one Range if asked."""

from __future__ import annotations

import asyncio
import base64
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from django.http import HttpResponse, StreamingHttpResponse
from django.utils.http import content_disposition_header

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from typing import BinaryIO

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from orchestration.services.archives import Archive

BLOCK: Final = 1 << 18
_RANGE: Final = re.compile(r"bytes=([0-9]{0,19})-([0-9]{0,19})\Z")


class Blocks:
    """Of an open file, which is closed at the end, or with the response where that never begins to send.

    A synchronous iterator would be read whole into memory under ASGI.
    """

    def __init__(self, source: BinaryIO, length: int) -> None:
        self._source, self._length = source, length

    def close(self) -> None:
        self._source.close()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = self._length
        try:
            while left > 0 and (block := await _in_thread(self._source.read, min(BLOCK, left))):
                left -= len(block)
                yield block
        finally:
            self._source.close()


async def _in_thread[**P, T](call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Cancelled meanwhile, it still waits for the call: a file that is being read must not be closed."""
    work = asyncio.ensure_future(asyncio.to_thread(call, *args, **kwargs))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        while not work.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([work])
        raise


def attachment(request: HttpRequest, source: BinaryIO, *, name: str, size: int, sha256: str) -> HttpResponseBase:
    """A download that can be resumed. Never shown by the browser, whatever the bytes are."""
    span = _span(request, size, f'"{sha256}"')
    if span is not None and span[0] >= size:
        source.close()
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    start, end = span or (0, size)
    response: HttpResponseBase = HttpResponse(content_type="application/octet-stream")
    if request.method == "HEAD":
        source.close()  # the server would throw every block away, and have read them all
    else:
        source.seek(start)
        response = StreamingHttpResponse(Blocks(source, end - start), content_type="application/octet-stream")
    response["Content-Length"] = str(end - start)
    response["Content-Disposition"] = content_disposition_header(True, name)
    response["Repr-Digest"] = f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:"
    response["ETag"] = f'"{sha256}"'
    response["Accept-Ranges"] = "bytes"
    response["Cache-Control"] = "private, no-cache"
    if span is not None:
        response.status_code = 206
        response["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    return response


def archive_attachment(request: HttpRequest, archive: Archive) -> HttpResponseBase:
    """As `attachment`, of an archive that is made on the way."""
    size, etag = archive.size, f'"{archive.etag}"'
    span = _span(request, size, etag)
    if span is not None and span[0] >= size:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    start, end = span or (0, size)
    response: HttpResponseBase = HttpResponse(content_type="application/zip")  # to HEAD: nothing is opened for it
    if request.method != "HEAD":
        response = StreamingHttpResponse(_archive_blocks(archive, start, end), content_type="application/zip")
    response["Content-Length"] = str(end - start)
    response["Content-Disposition"] = content_disposition_header(True, archive.name)
    response["ETag"] = etag
    response["Accept-Ranges"] = "bytes"
    response["Cache-Control"] = "private, no-cache"
    if span is not None:
        response.status_code = 206
        response["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    return response


async def _archive_blocks(archive: Archive, start: int, end: int) -> AsyncIterator[bytes]:
    source, left = archive.blocks(start), end - start
    try:
        while left and (block := await _in_thread(next, source, None)) is not None:
            if piece := block[:left]:
                left -= len(piece)
                yield piece
    finally:
        await _in_thread(source.close)  # and the file it reads with it


def _span(request: HttpRequest, size: int, etag: str) -> tuple[int, int] | None:
    """The half-open span of a single Range; None for the whole. Anything unusual gets the whole."""
    match = _RANGE.match(request.headers.get("Range", ""))
    if match is None or not any(match.groups()) or request.headers.get("If-Range", etag) != etag:
        return None
    first, last = match.groups()
    if not first:
        return max(0, size - int(last)), size
    if last and int(last) < int(first):
        return None
    return int(first), min(size, int(last) + 1) if last else size
