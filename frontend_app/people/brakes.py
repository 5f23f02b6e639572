"""Against guessing of passwords, without locking their owners out (SEC-021).

Wrong passwords are counted three ways: by address; by account and address; and by account alone, from wherever they
come. The last would let strangers keep an owner out, so it does not hold for browsers in which somebody has signed in
to this account before. They carry a signed cookie, and are counted each by itself.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from allauth.core.internal import ratelimit
from django.conf import settings
from django.core import signing

if TYPE_CHECKING:
    from allauth.core.internal.ratelimit import RateLimitUsage
    from django.http import HttpRequest, HttpResponse

    from orchestration.models import User

COOKIE: Final = settings.SESSION_COOKIE_NAME.removesuffix("session") + "known"
SALT: Final = "esteira.known-browser"
DAYS: Final = 365


def consume(request: HttpRequest, logins: list[str], address: str) -> list[RateLimitUsage] | None:
    """What was counted, to be given back if the password is right; None: too many were wrong for one of them."""
    counted: list[RateLimitUsage | None] = []
    for login in logins:
        browser = _known_as(request, login)
        counted.append(_consume(request, "login_failed", f"{login}|{browser or address}"))
        if not browser and counted[-1]:
            counted.append(_consume(request, "login_failed_anywhere", login))
    used = [one for one in counted if one is not None]
    return used if len(used) == len(counted) else None


def _consume(request: HttpRequest, action: str, key: str) -> RateLimitUsage | None:
    return ratelimit.consume(request, app="allauth.account", action=action, key=key)


def _known_as(request: HttpRequest, login: str) -> str:
    """The name this browser was given when somebody signed in to this account in it; "": it is not known."""
    try:
        said = signing.loads(request.COOKIES.get(COOKIE, ""), salt=SALT, max_age=DAYS * 86_400)
    except signing.BadSignature:
        return ""
    return str(said["browser"]) if login in said["logins"] else ""


def remember(response: HttpResponse, user: User) -> None:
    logins = [user.username.casefold(), *([user.email.casefold()] if user.email else [])]
    response.set_cookie(
        COOKIE,
        signing.dumps({"browser": secrets.token_urlsafe(9), "logins": logins}, salt=SALT),
        max_age=DAYS * 86_400,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
