"""What of the API is to go, since when and until when: one table, said in the document and in each answer.

An operation is named by its function, a parameter as `function?name`, a field as `Schema.field` (docs/api.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LEAST_NOTICE: Final = timedelta(days=365)
PAGE: Final = "/docs/api/"


@dataclass(frozen=True, slots=True)
class Notice:
    """Deprecated `since` a day; from `sunset` on it may be gone. `instead` is a sentence: what to use."""

    since: date
    instead: str
    sunset: date | None = None

    def __post_init__(self) -> None:
        if self.sunset is not None and self.sunset - self.since < LEAST_NOTICE:
            raise ValueError(f"Clients have a year: the sunset is {self.since + LEAST_NOTICE} at the earliest.")

    def sentence(self) -> str:
        goes = f", and may be gone from {self.sunset} on" if self.sunset else ""
        return f"Deprecated since {self.since}{goes}. {self.instead}"

    def headers(self, operation: str) -> list[tuple[bytes, bytes]]:
        """RFC 9745 and RFC 8594."""
        said = {"deprecation": f"@{int(_midnight(self.since).timestamp())}"}
        if self.sunset:
            said["sunset"] = format_datetime(_midnight(self.sunset), usegmt=True)
        said["link"] = f'<{PAGE}#{operation}>; rel="deprecation"; type="text/html"'
        return [(name.encode(), value.encode()) for name, value in said.items()]


DEPRECATED: Final[dict[str, Notice]] = {}


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


class Deprecation:
    """Tells whoever calls a deprecated operation, whatever the answer."""

    def __init__(self, app: ASGIApp, notices: Mapping[str, Notice]) -> None:
        self._app = app
        self._headers = {name: notice.headers(name) for name, notice in notices.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._headers:
            await self._app(scope, receive, send)
            return

        async def told(message: Message) -> None:
            # The router has written into this same scope by now which function answers.
            endpoint = getattr(scope.get("endpoint"), "__name__", "")
            if message["type"] == "http.response.start" and endpoint in self._headers:
                message = {**message, "headers": [*message.get("headers", ()), *self._headers[endpoint]]}
            await send(message)

        await self._app(scope, receive, told)


def mark(document: dict[str, Any], notices: Mapping[str, Notice]) -> None:
    """Into an OpenAPI document. A KeyError names what is in the table and not in the document."""
    operations = {one["operationId"]: one for path in document["paths"].values() for one in path.values()}
    for name, notice in notices.items():
        operation, _, parameter = name.partition("?")
        schema, _, field = name.partition(".")
        if field:
            _mark(document["components"]["schemas"][schema]["properties"][field], notice)
        elif parameter:
            _mark({one["name"]: one for one in operations[operation].get("parameters", ())}[parameter], notice)
        else:
            _mark(operations[operation], notice)


def _mark(one: dict[str, Any], notice: Notice) -> None:
    one["deprecated"] = True
    one["description"] = "\n\n".join(filter(None, (one.get("description", ""), notice.sentence())))
    if notice.sunset:
        one["x-sunset"] = notice.sunset.isoformat()
