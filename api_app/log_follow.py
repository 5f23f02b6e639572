"""The log of an attempt as one answer that goes on while the log does.

New bytes are looked for in the storage, without the database; that the attempt has ended is told by an event, or found
at the next look at its row. No thread and no connection is held in between.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Final

from starlette.responses import Response

from api_app.database import in_db, in_files
from api_app.errors import NotAuthenticated
from api_app.live import LATER, in_time, is_stopping, while_connected
from api_app.readers import CutShort
from orchestration.errors import OrchestrationError
from orchestration.follow import hub
from orchestration.services.logs import read_log

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Receive, Scope, Send

    from orchestration.models import Attempt

LOOK_S: Final = 0.5
"""Between two looks for new bytes."""
ROW_S: Final = 15.0
"""Between two looks at the row, where no event asks for one sooner. They also ask whether the reader still may."""


class FollowedLog(Response):
    """`find` gives the attempt anew, and raises where its reader may not see it any more.

    The answer ends properly with the log, and only then: whoever is cut off can tell, and comes back for the rest.
    """

    def __init__(self, attempt: Attempt, *, offset: int, find: Callable[[], Attempt], headers: dict[str, str]) -> None:
        super().__init__(media_type="text/plain", headers={**headers, "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._attempt, self._offset, self._find = attempt, offset, find
        self._looked = time.monotonic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  ASGI's signature
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await while_connected(self._follow(send), receive)

    async def _follow(self, send: Send) -> None:
        async with hub.subscribe(f"job.{self._attempt.job_id}") as flag:
            while not is_stopping():
                part = await in_files(partial(read_log, attempt=self._attempt, offset=self._offset))
                self._offset = part.end
                if part.data:
                    await in_time(send({"type": "http.response.body", "body": part.data, "more_body": True}))
                elif part.is_complete:
                    await send({"type": "http.response.body", "body": b""})
                    return
                else:
                    await self._wait(flag)
        raise CutShort

    async def _wait(self, flag: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(LOOK_S):
                await flag.wait()
        except TimeoutError:
            if time.monotonic() - self._looked < ROW_S:
                return
        flag.clear()
        self._looked = time.monotonic()
        try:
            self._attempt = await in_db(self._find)
        except LATER:
            return  # asked again
        except (NotAuthenticated, OrchestrationError) as exc:
            raise CutShort from exc
