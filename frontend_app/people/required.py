"""Whoever must have a second factor sees no page before she has one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.contrib import messages
from django.shortcuts import redirect
from django.utils.deprecation import MiddlewareMixin
from django.utils.translation import gettext as _

from orchestration.services.second_factor import must_set_up

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

# To set one up, and to leave.
OPEN: Final = frozenset(
    {
        "account",
        "account_change_password",
        "account_logout",
        "account_reauthenticate",
        "favicon",
        "invitation",
        "sessions-end",
    }
)
SETTING_UP: Final = "mfa_"


class SecondFactorRequired(MiddlewareMixin):
    def process_view(
        self,
        request: HttpRequest,
        view: Callable[..., Any],  # noqa: ARG002  Django's signature
        args: object,  # noqa: ARG002  the same
        kwargs: object,  # noqa: ARG002  the same
    ) -> HttpResponse | None:
        at = request.resolver_match.url_name if request.resolver_match else ""
        if not request.user.is_authenticated or at in OPEN or (at or "").startswith(SETTING_UP):
            return None
        if not must_set_up(user=request.user):
            return None
        messages.warning(request, _("Your account needs a second factor. Set one up to go on."))
        return redirect("mfa_index")
