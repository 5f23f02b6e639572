"""What the scripts of a page say, in its language: one file a language, under an address that changes with it."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Final, cast

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone, translation
from django.views.decorators.http import require_safe
from django.views.i18n import JavaScriptCatalog

DIGITS: Final = 12
SPEECH: Final = Path(__file__).with_name("static") / "frontend_app" / "speech.js"


@cache
def script_of(language: str) -> tuple[bytes, str]:
    """The script and the digest in its address."""
    asked = HttpRequest()
    asked.method = "GET"
    with translation.override(language):
        made = cast("HttpResponse", JavaScriptCatalog.as_view(packages=["project"])(asked))
    content = made.content + SPEECH.read_bytes()
    return content, hashlib.sha256(content).hexdigest()[:DIGITS]


@login_not_required
@require_safe
def script(request: HttpRequest, language: str, digest: str) -> HttpResponse:  # noqa: ARG001  Django's signature
    if language not in dict(settings.LANGUAGES):
        raise Http404("There is no such language.")
    content, current = script_of(language)
    response = HttpResponse(content, content_type="text/javascript; charset=utf-8")
    # Of another version of the server, as while a new one is rolled out, it is not to be kept.
    response["Cache-Control"] = "public, max-age=31536000, immutable" if digest == current else "no-store"
    return response


def words(request: HttpRequest) -> dict[str, object]:  # noqa: ARG001  a context processor
    """For the frame of every page."""
    language = translation.get_language()
    if language not in dict(settings.LANGUAGES):
        language = settings.LANGUAGE_CODE
    zone = timezone.get_current_timezone_name()
    return {
        "language": translation.to_locale(language).replace("_", "-"),
        "languages": settings.LANGUAGES,
        "words_url": reverse("words", args=[language, script_of(language)[1]]),
        "reader_zone": "" if zone == settings.TIME_ZONE else zone,
    }
