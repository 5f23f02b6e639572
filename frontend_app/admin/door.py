"""Who may come to the admin's pages at all, before any of them looks at rights (SEC-130)."""

from __future__ import annotations

import ipaddress
from time import time
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.views import redirect_to_login
from django.http import Http404
from django.utils.deprecation import MiddlewareMixin
from django.utils.translation import gettext as _

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

SEEN_AT: Final = "admin_seen_at"
A_MINUTE_S: Final = 60


class AdminDoor(MiddlewareMixin):
    def process_view(
        self,
        request: HttpRequest,
        view: Callable[..., Any],  # noqa: ARG002  Django's signature
        args: object,  # noqa: ARG002  the same
        kwargs: object,  # noqa: ARG002  the same
    ) -> HttpResponse | None:
        if request.resolver_match is None or request.resolver_match.namespace != "admin":
            return None
        if not _is_near(str(request.META.get("REMOTE_ADDR", ""))):
            raise Http404
        if not request.user.is_authenticated:
            return None
        now, seen_at = int(time()), request.session.get(SEEN_AT)
        if seen_at is not None and now - seen_at > settings.ADMIN_IDLE_S:
            logout(request)
            messages.warning(request, _("You were away from the administration for long. Sign in again."))
            return redirect_to_login(request.get_full_path())
        if seen_at is None or now - seen_at > A_MINUTE_S:
            request.session[SEEN_AT] = now
        return None


def _is_near(address: str) -> bool:
    """The other end of a Unix socket has no address: whoever it is runs on this machine."""
    networks = settings.ADMIN_NETWORKS
    if not networks or not address:
        return True
    try:
        asking = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return any(asking in network for network in networks)
