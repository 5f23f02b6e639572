"""Whoever leaves in the middle of a download, or before it has begun, leaves no file open and cuts no read short."""

from __future__ import annotations

import asyncio
import io
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, override

import pytest
from django.test import RequestFactory

from frontend_app.streaming import archive_attachment, attachment
from orchestration.services.archives import Archive
from orchestration.zip_stream import Entry, length_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http.response import HttpResponseBase

DATA = b"0123456789"


class Slow(io.BytesIO):
    """A file on a slow disk: `read` takes until `go`."""

    def __init__(self) -> None:
        super().__init__(DATA)
        self.reads, self.go = threading.Event(), threading.Event()
        self.is_cut = False

    @override
    def read(self, size: int | None = -1, /) -> bytes:
        self.reads.set()
        assert self.go.wait(5)
        self.reads.clear()
        return super().read(size)

    @override
    def close(self) -> None:
        self.is_cut |= self.reads.is_set()
        super().close()


def whole(source: io.BytesIO) -> HttpResponseBase:
    return attachment(RequestFactory().get("/"), source, name="a", size=len(DATA), sha256="00" * 32)


def zipped(source: io.BytesIO) -> HttpResponseBase:
    entries = (Entry(name="a", size=len(DATA), made_at=datetime(2026, 1, 1, tzinfo=UTC), open=lambda: source),)
    return archive_attachment(RequestFactory().get("/"), Archive("a.zip", entries, length_of(entries), "e"))


@pytest.mark.django_db  # the end of an answer looks at the connections of the database
def test_file_of_a_client_that_leaves_before_the_first_block_is_closed() -> None:
    source = io.BytesIO(DATA)
    whole(source).close()  # as Django does, whatever became of the answer
    assert source.closed


def test_file_is_closed_after_its_last_block() -> None:
    source = io.BytesIO(DATA)
    response: Any = whole(source)

    async def go() -> bytes:
        return b"".join([part async for part in response])

    assert asyncio.run(go()) == DATA
    assert source.closed


@pytest.mark.parametrize("answer", [whole, zipped])
def test_client_that_leaves_while_a_block_is_read_does_not_cut_the_read(
    answer: Callable[[io.BytesIO], HttpResponseBase],
) -> None:
    source = Slow()
    response: Any = answer(source)

    async def leave() -> None:
        first = asyncio.ensure_future(anext(aiter(response)))
        assert await asyncio.to_thread(source.reads.wait, 5)
        first.cancel()
        await asyncio.sleep(0.02)
        assert not source.closed
        source.go.set()
        with pytest.raises(asyncio.CancelledError):
            await first

    asyncio.run(leave())
    assert source.closed
    assert not source.is_cut


def test_nothing_is_read_for_who_asks_only_for_the_head() -> None:
    source = io.BytesIO(DATA)
    response = attachment(RequestFactory().head("/"), source, name="a", size=len(DATA), sha256="00" * 32)
    assert (response.streaming, source.closed) == (False, True)
    assert (response.status_code, response["Content-Length"]) == (200, str(len(DATA)))
