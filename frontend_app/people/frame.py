"""The pages of django-allauth stand in our frame, which needs to know what `frontend_app.http.page` tells others."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, Final, cast

from django.conf import settings

from frontend_app.http import Request, frame_of

if TYPE_CHECKING:
    from django.http import HttpRequest

THEIRS: Final = ("account_", "mfa_", "socialaccount_", "openid_connect_")


def frame(request: HttpRequest) -> dict[str, Any]:
    at = request.resolver_match
    if at is None or not (at.url_name or "").startswith(THEIRS):
        return {}
    known = frame_of(cast("Request", request)) if request.user.is_authenticated else {}
    return known | {
        "can_mail": bool(settings.MAILERS),
        "can_passkey": _takes_passkeys(request),
        "providers": [(one["provider_id"], one["name"]) for one in settings.OIDC],
    }


def _takes_passkeys(request: HttpRequest) -> bool:
    """Browsers keep them for names, never for bare addresses, and only where nobody on the way can listen."""
    host = request.get_host().rpartition(":")[0] if ":" in request.get_host() else request.get_host()
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return request.is_secure() or host == "localhost"
    return False
