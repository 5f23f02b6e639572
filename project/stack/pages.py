"""Django, with an answer where it has none of its own."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import BadRequest
from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.http import HttpResponseBadRequest, HttpResponseBase

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import IO

log = logging.getLogger(__name__)
UNREADABLE: Final = "The Content-Type of this request cannot be read."


class Pages(ASGIHandler):
    def create_request(
        self, scope: Mapping[str, Any], body_file: IO[bytes]
    ) -> tuple[ASGIRequest, None] | tuple[None, HttpResponseBase]:
        """It reads Content-Type before anything catches: a long one would be a 500, and a traceback for each."""
        try:
            return super().create_request(scope, body_file)
        except BadRequest as exc:
            log.info("bad request", extra={"error": str(exc)})
            return None, HttpResponseBadRequest(UNREADABLE, content_type="text/plain")
