"""In which language and at whose clock a page is written: as its reader chose, else as her browser says."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

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
        try:
            timezone.activate(ZoneInfo(getattr(request.user, "time_zone", "") or settings.TIME_ZONE))
        except ZoneInfoNotFoundError:  # it was renamed since it was chosen
            timezone.deactivate()

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:  # noqa: ARG002
        patch_vary_headers(response, ["Accept-Language"])
        return response
