"""In which language and at whose clock a page is written: as its reader chose, else as her browser says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.utils import timezone, translation
from django.utils.cache import patch_vary_headers
from django.utils.deprecation import MiddlewareMixin

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase


class SpeaksToReader(MiddlewareMixin):
    """After whoever tells who is signed in. A choice of the account counts before the browser's cookie and header."""

    def process_request(self, request: HttpRequest) -> None:
        chosen = getattr(request.user, "language", "")
        known = chosen in dict(settings.LANGUAGES)
        translation.activate(chosen if known else translation.get_language_from_request(request))
        if clock := getattr(request.user, "clock", None):
            timezone.activate(clock)
        else:
            timezone.deactivate()

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:  # noqa: ARG002
        patch_vary_headers(response, ["Accept-Language"])
        return response
