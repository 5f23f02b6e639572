"""Rotate and revoke, of one's own tokens and of service accounts'; each ends on the page that its token is on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.contrib import messages
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from frontend_app.http import Request, answers_errors, whole_number
from frontend_app.views import service_accounts
from frontend_app.views import tokens as own
from orchestration.errors import Conflict, Invalid
from orchestration.models import ApiToken
from orchestration.services import tokens

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse

    from orchestration.models import User

LONGEST_HOURS_DIGITS: Final = 3


@require_POST
@answers_errors
def token_rotate(request: Request, token_id: UUID) -> HttpResponse:
    """As for a new token: the answer to the POST alone has the secret."""
    hours = whole_number(request.POST.get("overlap", ""), digits=LONGEST_HOURS_DIGITS)
    account = _account(request, token_id)
    try:
        _token, secret = tokens.rotate(
            user=request.user,
            token_id=token_id,
            overlap_hours=-1 if hours is None else hours,  # refused as a time
        )
    except (Invalid, Conflict) as exc:
        return _shown(request, account, error=str(exc))
    return _shown(request, account, secret=secret)


@require_POST
@answers_errors
def token_revoke(request: Request, token_id: UUID) -> HttpResponse:
    account = _account(request, token_id)
    tokens.revoke(user=request.user, token_id=token_id)
    messages.success(request, _("The token is revoked. Programs that use it are refused from now on."))
    return redirect("service-account", account.pk) if account else redirect("token-list")


def _account(request: Request, token_id: UUID) -> User | None:
    """The service account whose token it is; None for one's own, and for one that the service will not find."""
    row = ApiToken.objects.visible_to(request.user).select_related("user__service_of").filter(pk=token_id).first()
    return row.user if row and row.user.service_of_id else None


def _shown(request: Request, account: User | None, *, secret: str = "", error: str = "") -> HttpResponse:
    if account is None:
        return own.shown(request, secret=secret, error=error)
    return service_accounts.shown(request, account, secret=secret, error=error)
