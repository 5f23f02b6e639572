"""Pages go packed over the wire. Files of people do not: their length, ranges and digests are those of their bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.middleware.gzip import GZipMiddleware

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase


class PackedPages(GZipMiddleware):
    """Django's own, which adds a random number of bytes so that a page's length tells nothing of its secrets."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if response.streaming or not response.get("Content-Type", "").startswith("text/html"):
            return response
        return super().process_response(request, response)
