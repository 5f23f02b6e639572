"""Requests as tus clients make them."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from orchestration.models import File
from orchestration.services.files import open_content

if TYPE_CHECKING:
    import httpx

    from tests.api.door import Visitor

TUS = {"Tus-Resumable": "1.0.0"}
OFFSETS = {"Content-Type": "application/offset+octet-stream"}


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def create(who: Visitor, size: int | None = 5, content: bytes = b"", **headers: str) -> httpx.Response:
    length = {"Upload-Defer-Length": "1"} if size is None else {"Upload-Length": str(size)}
    said = {"filename": "a ç.txt", "relativePath": "x/y/a.txt", "workspace": "lab"}
    names = {"Upload-Metadata": ",".join(f"{key} {encoded(value)}" for key, value in said.items())}
    return who("POST", "/tus", content=content, headers=TUS | length | names | headers)


def patch(who: Visitor, where: str, offset: int, data: bytes, **headers: str) -> httpx.Response:
    sent = TUS | OFFSETS | {"Upload-Offset": str(offset)} | headers
    return who("PATCH", where.removeprefix("/api/v1"), content=data, headers=sent)


def head(who: Visitor, where: str) -> httpx.Response:
    return who("HEAD", where.removeprefix("/api/v1"), headers=TUS)


def content() -> bytes:
    with open_content(File.objects.get()) as source:
        return source.read()
