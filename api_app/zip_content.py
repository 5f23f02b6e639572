"""An archive as an answer: made while it is sent, of known length, and from any byte on for who lost the rest."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.responses import Response, StreamingResponse

from api_app.content import Span, Unsatisfiable, disposition, span_asked
from api_app.database import in_files
from api_app.errors import problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from starlette.types import Receive, Scope, Send

    from orchestration.services.archives import Archive


class ZipContent(Response):
    media_type = "application/zip"

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._etag = f'"{archive.etag}"'
        super().__init__(
            headers={
                "accept-ranges": "bytes",
                "cache-control": "private, no-store",
                "content-disposition": disposition(archive.name),
                "content-security-policy": "sandbox; default-src 'none'",
                "etag": self._etag,
                "x-content-type-options": "nosniff",
            }
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        size = self._archive.size
        try:
            span = span_asked(dict(scope["headers"]), etag=self._etag, size=size)
        except Unsatisfiable:
            refusal = problem(416, f"The archive has {size} bytes.", headers={"content-range": f"bytes */{size}"})
            return await refusal(scope, receive, send)
        if span is not None:
            self.status_code = HTTPStatus.PARTIAL_CONTENT
            self.headers["content-range"] = f"bytes {span.start}-{span.stop - 1}/{size}"
        span = span or Span(0, size)
        self.headers["content-length"] = str(span.stop - span.start)
        if scope["method"] == "HEAD":
            return await super().__call__(scope, receive, send)
        blocks = self._archive.blocks(span.start)
        try:
            # Before the first header goes out: a first file that is gone is an error, not a short answer.
            first = await in_files(next, blocks, None)
            answer = StreamingResponse(_cut(first, blocks, span.stop - span.start), self.status_code)
            answer.raw_headers = self.raw_headers
            await answer(scope, receive, send)
        finally:
            await in_files(blocks.close)  # and the file it reads with it
        return None


async def _cut(block: bytes | None, blocks: Iterator[bytes], left: int) -> AsyncIterator[bytes]:
    """`left` bytes of `block` and those that follow it."""
    while left:
        if block is None:
            raise OSError("an archive is shorter than was worked out")
        if block := block[:left]:
            left -= len(block)
            yield block
        block = await in_files(next, blocks, None) if left else None
