"""The connection of a client, and every operation of the API by it."""

from collections.abc import Iterator
from typing import Self

from api_app.client import credentials
from api_app.client.calls import Call, Listing, Pages
from api_app.client.transport import Notice, Transport


class Asker:
    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        patience_s: float = 60,
        notice: Notice = lambda _sentence: None,
    ) -> None:
        self.login = credentials.find(url, token)
        self._transport = Transport(self.login, patience_s=patience_s, notice=notice)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._transport.close()

    def ask[T](self, call: Call[T]) -> T:
        """Any operation of the API, as in `client.ask(shares.create_share(job_id, {"days": 7}))`.

        The calls are in `api_app.client.contract`.
        """
        return self._transport.ask(call)

    def each[T](self, listing: Listing[T], *, limit: int | None = None) -> Iterator[T]:
        """What is listed, page after page, `limit` at most."""
        pages = Pages(listing, limit)
        while asked := pages.next():
            yield from pages.take(self.ask(asked))
