"""The pages of django-allauth stand in our frame, which needs to know what `frontend_app.http.page` tells others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from django.conf import settings

from frontend_app.http import Request, frame_of

if TYPE_CHECKING:
    from django.http import HttpRequest

THEIRS: Final = ("account_", "mfa_", "socialaccount_", "usersessions_")


def frame(request: HttpRequest) -> dict[str, Any]:
    at = request.resolver_match
    if at is None or not (at.url_name or "").startswith(THEIRS):
        return {}
    known = frame_of(cast("Request", request)) if request.user.is_authenticated else {}
    return known | {"can_mail": bool(settings.MAILERS)}
