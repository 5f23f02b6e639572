"""Django, with an answer where it has none of its own."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import BadRequest
from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.http import HttpResponseBadRequest, HttpResponseBase

from orchestration.errors import StorageFull
from orchestration.storage.local import full_disk_named
from project.stack.answers import refusal
from project.telemetry.http import ROUTE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import IO

log = logging.getLogger(__name__)
NO_ROOM: Final = "The server has no room left for what you sent. Try again later, or tell the administrator."
UNREADABLE: Final = "The Content-Type of this request cannot be read."


class Pages(ASGIHandler):
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """A long body is kept in the folder for temporary files until a view reads it."""
        try:
            with full_disk_named():
                await super().__call__(scope, receive, send)
        except StorageFull as exc:
            log.warning("no room for the body of a form", extra={"error": str(exc.__cause__)})
            await refusal(scope, 507, NO_ROOM)(scope, receive, send)

    def resolve_request(self, request: Any) -> Any:
        match = super().resolve_request(request)
        request.scope[ROUTE] = f"/{match.route}"
        return match

    def create_request(
        self, scope: Mapping[str, Any], body_file: IO[bytes]
    ) -> tuple[ASGIRequest, None] | tuple[None, HttpResponseBase]:
        """It reads Content-Type before anything catches: a long one would be a 500, and a traceback for each."""
        try:
            return super().create_request(scope, body_file)
        except BadRequest as exc:
            log.info("bad request", extra={"error": str(exc)})
            return None, HttpResponseBadRequest(UNREADABLE, content_type="text/plain")
