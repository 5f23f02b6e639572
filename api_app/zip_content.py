"""An archive as an answer: made while it is sent, of known length, and from any byte on for who lost the rest."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.responses import Response

from api_app.content import Span, Unsatisfiable, disposition, parse_range
from api_app.database import in_files
from api_app.errors import problem

if TYPE_CHECKING:
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
        asked = {name: value.decode("latin-1") for name, value in scope["headers"]}
        size = self._archive.size
        try:
            span = self._span(asked, size)
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
        await self._pour(send, span)
        return None

    def _span(self, asked: dict[bytes, str], size: int) -> Span | None:
        if b"range" not in asked or asked.get(b"if-range", self._etag) != self._etag:
            return None
        return parse_range(asked[b"range"], size)

    async def _pour(self, send: Send, span: Span) -> None:
        blocks = self._archive.blocks(span.start)
        try:
            # Before the first header goes out: a first file that is gone is an error, not a short answer.
            block = await in_files(next, blocks, None)
            await send({"type": "http.response.start", "status": int(self.status_code), "headers": self.raw_headers})
            left = span.stop - span.start
            while left:
                if block is None:
                    raise OSError("an archive is shorter than was worked out")
                if block := block[:left]:
                    left -= len(block)
                    await send({"type": "http.response.body", "body": block, "more_body": left > 0})
                block = await in_files(next, blocks, None) if left else None
        finally:
            await in_files(blocks.close)  # and the file it reads with it
