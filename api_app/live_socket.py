"""The streams of events over a WebSocket: each message is a text of JSON, {"id", "event", "data"}."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.websockets import WebSocket, WebSocketDisconnect

from api_app.live import Ending, Stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from api_app.feeds import Feed, News

CLOSED: Final[dict[Ending, int]] = {
    Ending.ENDED: 1000,  # all was told
    Ending.REFUSED: 1008,  # against the rules: the token or the place in the workspace is gone
    Ending.STOPPING: 1012,  # the service restarts: come back
}


async def watch(socket: WebSocket, feed: Feed, *, after: int, may_watch: Callable[[], object]) -> None:
    await socket.accept()
    try:
        ending = await Stream(feed, Frames(socket), last=after, may_watch=may_watch).run(socket.receive)
        if ending in CLOSED:
            await socket.close(CLOSED[ending])
    except WebSocketDisconnect:
        return  # it left while it was told something, and comes back with its bookmark


class Frames:
    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket

    async def greet(self) -> None:
        await self.be_there(0)

    async def tell(self, news: News) -> None:
        for message in news.messages:
            await self._socket.send_text(message.frame)

    async def be_there(self, last: int) -> None:
        """The connection's own pings do not reach a page's script, and a bookmark goes along here."""
        await self._socket.send_text(f'{{"id": {last or "null"}, "event": "here", "data": null}}')
