"""Who is signed in, also by a session from before the secret key changed.

Django gives such a session another name as soon as it is seen. But a browser asks several things at once, and a live
connection can hand out no cookie: whoever then came with the old name would be signed out. So it keeps its name.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY, get_user, middleware
from django.utils.crypto import constant_time_compare
from django.utils.functional import SimpleLazyObject

from orchestration.models import User

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser
    from django.contrib.sessions.backends.base import SessionBase
    from django.http import HttpRequest


class SignedIn(middleware.AuthenticationMiddleware):
    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        if settings.SECRET_KEY_FALLBACKS:
            request.user = SimpleLazyObject(partial(_cached, request))  # type: ignore[assignment]
            request.auser = sync_to_async(partial(_cached, request))


def user_of(request: HttpRequest) -> User | AnonymousUser:
    """Of its session."""
    _renew(request.session)
    found: User | AnonymousUser = get_user(request)
    return found


def _cached(request: HttpRequest) -> User | AnonymousUser:
    if not hasattr(request, "_cached_user"):
        request._cached_user = user_of(request)  # type: ignore[attr-defined]  # noqa: SLF001  where Django keeps it
    found: User | AnonymousUser = request._cached_user  # type: ignore[attr-defined]  # noqa: SLF001
    return found


def _renew(session: SessionBase) -> None:
    said = session.get(HASH_SESSION_KEY)
    if not said or not settings.SECRET_KEY_FALLBACKS:
        return
    user = User.objects.filter(pk=session[SESSION_KEY]).first()
    if user is None or constant_time_compare(said, user.get_session_auth_hash()):
        return
    if any(constant_time_compare(said, earlier) for earlier in user.get_session_auth_fallback_hash()):
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
