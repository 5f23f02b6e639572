"""The connection of a client that is awaited, and every operation of the API by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from api_app.client import credentials
from api_app.client.async_transport import AsyncTransport
from api_app.client.calls import Call, Listing, Pages
from api_app.client.threads import Threads

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from api_app.client.transport import Notice


class AsyncAsker:
    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        patience_s: float = 60,
        notice: Notice = lambda _sentence: None,
    ) -> None:
        self.login = credentials.find(url, token)
        self._transport = AsyncTransport(self.login, patience_s=patience_s, notice=notice)
        self._threads = Threads(self.login, patience_s=patience_s, notice=notice)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        self._threads.close()
        await self._transport.close()

    async def ask[T](self, call: Call[T]) -> T:
        """Any operation of the API, as in `await client.ask(shares.create_share(job_id, {"days": 7}))`.

        The calls are in `api_app.client.contract`.
        """
        return await self._transport.ask(call)

    async def each[T](self, listing: Listing[T], *, limit: int | None = None) -> AsyncIterator[T]:
        """What is listed, page after page, `limit` at most."""
        pages = Pages(listing, limit)
        while asked := pages.next():
            for one in pages.take(await self.ask(asked)):
                yield one
