"""A refusal in the form that GA4GH's WES gives it. Whoever made it, and however deep inside."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from starlette.responses import Response

from api_app.errors import MEDIA_TYPE, problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Message, Send

WES: Final = "/ga4gh/wes/v1"
TES: Final = "/ga4gh/tes/v1"
# What WES lists for a request that does not fit.
_STATUS: Final[dict[int, int]] = {HTTPStatus.UNPROCESSABLE_ENTITY: HTTPStatus.BAD_REQUEST}


def problem_for(path: str, status: int, detail: str, *, headers: Mapping[str, str] | None = None) -> Response:
    """For whoever refuses a request before the API sees it."""
    if path.startswith(f"{WES}/"):
        return Response(_worded(detail, status), status, headers, media_type="application/json")
    return problem(status, detail, headers=headers)


def _worded(detail: str, status: int) -> bytes:
    return json.dumps({"msg": detail, "status_code": status}).encode()


class WesErrors:
    """Holds back a problem document until all of it is there, and sends an ErrorResponse. The rest passes."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_problem(message):
            self._start = message
        elif self._start is None:
            await self._send(message)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._say(self._start)

    async def _say(self, start: Message) -> None:
        refused: int = start["status"]
        status = _STATUS.get(refused, refused)
        body = _worded(json.loads(self._body)["detail"], status)
        kept = [pair for pair in start["headers"] if pair[0] not in {b"content-type", b"content-length"}]
        headers = [*kept, (b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await self._send({**start, "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})


def _is_problem(start: Message) -> bool:
    return (b"content-type", MEDIA_TYPE.encode()) in start["headers"]
